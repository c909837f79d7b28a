package dnsfilter

import (
	"errors"
	"io/fs"
	"log/slog"
	"net/netip"
	"slices"

	"github.com/argine-dns/argine/blocklist"
)

// Explanation is what happens to a name, and what it comes from.
type Explanation struct {
	Decision

	Held    []blocklist.Match // of every list that holds the name, whether it counts or not
	Divert  string            // the list for whose url entries clients that look for the host are led to a proxy
	Special string            // the zone, if the name is answered as one that nobody else is to be asked for
}

// Lookup tells what a server with these settings does with a name that a client asks for; without a valid address it is one
// that no view is for. It reads the store beside a running server and changes nothing there; files that the store does not
// hold as they are now are read for this one answer. Lists of which nothing is held are warned about in log.
func (s *Settings) Lookup(host string, client netip.Addr, log *slog.Logger) (Explanation, error) {
	name, err := blocklist.ParseName(host)
	if err != nil {
		return Explanation{}, err
	}
	var out Explanation
	err = withTemporary(func(fresh *blocklist.Store) error {
		held, err := blocklist.Open(s.State, blocklist.Options{ReadOnly: true})
		switch {
		case errors.Is(err, fs.ErrNotExist):
			held = fresh // nothing was ever held
		case err != nil:
			return err
		default:
			defer held.Close() //nolint:errcheck // it was only read
		}
		s.readChanged(held, fresh, log)
		out = s.explain(stores{held, fresh}, []byte(name), client)
		return nil
	})
	return out, err
}

// explain tells what happens to a name.
func (s *Settings) explain(both stores, name []byte, client netip.Addr) (out Explanation) {
	p := s.Policy()
	v := p.View(client)
	out.Held = both.matches(name)
	out.Decision = v.choose(out.Held, func(list string) []blocklist.Match { return both.of(list).AppendEntries(nil, list, name) })
	if !out.Blocks() && !out.allows() {
		out.Divert = both.diverting(&v, name)
	}
	if zones := newZones(p.Special); !out.Blocks() {
		out.Special = zones.find(name).String()
	}
	return out
}

// readChanged reads into fresh the files that held does not hold as they are.
func (s *Settings) readChanged(held, fresh *blocklist.Store, log *slog.Logger) {
	for _, l := range s.localFiles() {
		if _, current := l.held(held); current {
			continue
		}
		if _, err := (loader{store: fresh, log: log}).load(l, ""); err != nil {
			log.Warn("list can't be read", slog.String("list", l.list), slog.Any("error", err))
		}
	}
	for _, l := range s.Lists {
		_, ok := held.List(l.Rule.List)
		if _, read := fresh.List(l.Rule.List); !ok && !read {
			log.Warn("nothing is held of a list", slog.String("list", l.Rule.List))
		}
	}
}

// stores are one that is held and one whose lists take the place of those in it.
type stores struct{ held, fresh *blocklist.Store }

// of returns the store that a list is in.
func (s stores) of(list string) *blocklist.Store {
	if _, replaced := s.fresh.List(list); replaced {
		return s.fresh
	}
	return s.held
}

// diverting returns the list that a view diverts a host for; empty if there is none.
func (s stores) diverting(v *View, host []byte) string {
	for i := range v.Rules {
		r := &v.Rules[i]
		if len(r.Divert) > 0 && s.of(r.List).HasURLs(r.List, host) {
			return r.List
		}
	}
	return ""
}

// matches returns what holds a name.
func (s stores) matches(name []byte) []blocklist.Match {
	matches := s.held.AppendMatches(nil, name)
	if s.held == s.fresh {
		return matches
	}
	matches = slices.DeleteFunc(matches, func(m blocklist.Match) bool { return s.of(m.List) == s.fresh })
	return s.fresh.AppendMatches(matches, name)
}
