package service

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/internal/tempstore"
)

// Explanation is what happens to a name, an address or a URL, and what it comes from.
type Explanation struct {
	dnsfilter.Decision

	Held     []blocklist.Match // of every list that holds the name or address, whether it counts or not
	URLs     []blocklist.Match // of every list with an entry for the URL itself, which the DNS can't enforce
	Divert   string            // the list for whose url entries clients that look for the host are led to a proxy
	Special  string            // the zone, if the name is answered as one that no one else is to be asked for
	Unserved bool              // the client is not answered, whatever it asks for
	Missing  []string          // lists of which nothing is in force here, or can be read
}

// Unsure reports whether a list that is missing may decide otherwise.
func (e *Explanation) Unsure() bool {
	allows := slices.ContainsFunc(e.Missing, config.IsAllowList)
	return len(e.Missing) > 0 && !e.Unserved && (allows || !e.Blocks() && !e.Allows())
}

// Explain says what a server with these settings does with a name that a client asks for, with an answer that leads to
// an address, or with the host of a URL; without a valid address the client is one that no view is for. It reads the
// store beside a running server and changes nothing there; files that the store does not hold as they are now are read
// for this one answer, unless they are on hold. What is missing or on hold is warned about in log. It fails with
// [blocklist.ErrMalformed].
func Explain(s *config.Settings, target string, client netip.Addr, log *slog.Logger) (Explanation, error) {
	q, err := parseLookup(target)
	if err != nil {
		return Explanation{}, err
	}
	var out Explanation
	err = tempstore.With(func(fresh *blocklist.Store) error {
		if s.State == "" {
			return config.ErrNoState
		}
		held, err := blocklist.Open(s.State, blocklist.Options{ReadOnly: true})
		switch {
		case errors.Is(err, fs.ErrNotExist):
			held = fresh // nothing was ever held
		case err != nil:
			return err
		default:
			defer held.Close() //nolint:errcheck // it was only read
		}
		missing, err := readChanged(s, held, fresh, log)
		if err == nil {
			out = explain(s, stores{held, fresh}, q, client)
			out.Missing = missing
		}
		return err
	})
	return out, err
}

// lookupTarget is what is looked up: a name or an address, and the URL that it is the host of.
type lookupTarget struct {
	name blocklist.Name
	addr netip.Addr
	url  string
}

func parseLookup(text string) (q lookupTarget, err error) {
	if !strings.ContainsAny(text, "/?") {
		if q.addr, err = netip.ParseAddr(strings.Trim(text, "[]")); err != nil {
			q.name, err = blocklist.ParseName(text)
		}
		return q, err
	}
	if _, err := netip.ParsePrefix(text); err == nil {
		return q, fmt.Errorf("looking up %q: %w: it is a network; write an address of it", text, blocklist.ErrMalformed)
	}
	u, err := blocklist.ParseURL(text)
	if err != nil {
		return q, err
	}
	q.url = text
	q.name, q.addr, err = blocklist.ParseHost(u.Host)
	return q, err
}

// explain tells what happens to a name or an address.
func explain(s *config.Settings, both stores, q lookupTarget, client netip.Addr) (out Explanation) {
	c := s.Server()
	if out.Unserved = !c.Serves(client); out.Unserved {
		out.Action = dnsfilter.Refused
		return out
	}
	v := c.Policy.View(client)
	out.Held = both.matches(q.matches)
	out.Decision = v.Choose(out.Held, func(list string) []blocklist.Match { return q.entries(both.of(list), list) })
	if q.url != "" {
		out.URLs = both.matches(func(store *blocklist.Store) []blocklist.Match { return store.AppendURLMatches(nil, q.url) })
		out.URLs = slices.DeleteFunc(out.URLs, func(m blocklist.Match) bool { return m.Scope != blocklist.ScopeURL })
	}
	if q.addr.IsValid() {
		return out
	}
	if !out.Blocks() && !out.Allows() {
		out.Divert = both.diverting(&v, []byte(q.name))
	}
	if !out.Blocks() {
		out.Special = c.SpecialZone([]byte(q.name)).String()
	}
	return out
}

// matches returns what of a store holds the name or address.
func (q *lookupTarget) matches(store *blocklist.Store) []blocklist.Match {
	if q.addr.IsValid() {
		return store.AppendAddrMatches(nil, q.addr)
	}
	return store.AppendMatches(nil, []byte(q.name))
}

// entries returns all that a list has for it.
func (q *lookupTarget) entries(store *blocklist.Store, list string) []blocklist.Match {
	if q.addr.IsValid() {
		return store.AppendAddrEntries(nil, list, q.addr)
	}
	return store.AppendEntries(nil, list, []byte(q.name))
}

// readChanged reads into fresh the files that held does not hold as they are, but for those that are on hold. It
// returns the lists of which there is nothing.
func readChanged(s *config.Settings, held, fresh *blocklist.Store, log *slog.Logger) (missing []string, err error) {
	made := sync.OnceValues(func() (guards, error) { return guards{}.next(s) })
	onHold := readLocalHolds(s.State)
	for _, f := range s.LocalFiles() {
		isHeld, current := heldFile(f, held)
		if current {
			continue
		}
		source, _ := f.Source()
		hold := onHold.of(f.List)
		if hold == nil || hold.Source != source || f.Unguarded {
			by, err := made()
			if err != nil {
				return nil, err
			}
			if hold, err = (loader{fresh, by, log}).load(f, ""); err != nil {
				log.Warn("list can't be read", slog.String("list", f.List), slog.Any("error", err))
				if !isHeld {
					missing = append(missing, f.List)
				}
			}
		}
		if hold != nil {
			log.Warn("the guards hold the file as it is now", slog.String("list", f.List),
				slog.Bool("enforced_as_before", isHeld))
		}
	}
	for _, l := range s.Lists {
		if info, ok := held.List(l.Rule.List); l.File == "" && (!ok || info.Err != nil || info.Serial == 0) {
			log.Warn("nothing is held of a list", slog.String("list", l.Rule.List))
			missing = append(missing, l.Rule.List)
		}
	}
	return missing, nil
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
func (s stores) diverting(v *dnsfilter.View, host []byte) string {
	for i := range v.Rules {
		r := &v.Rules[i]
		if len(r.Divert) > 0 && s.of(r.List).HasURLs(r.List, host) {
			return r.List
		}
	}
	return ""
}

// matches returns what find finds in both.
func (s stores) matches(find func(*blocklist.Store) []blocklist.Match) []blocklist.Match {
	matches := find(s.held)
	if s.held == s.fresh {
		return matches
	}
	matches = slices.DeleteFunc(matches, func(m blocklist.Match) bool { return s.of(m.List) == s.fresh })
	return append(matches, find(s.fresh)...)
}
