package service

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/internal/tempstore"
	"github.com/argine-dns/argine/dnsfilter/rpz"
)

// Explanation explains the decision on a name, an address or a URL. See [Explain].
type Explanation struct {
	dnsfilter.Decision

	// Held has one match per list that has an entry for the name or address, even if another list decides.
	Held []blocklist.Match
	// URLs has one match per list that has an entry for the URL itself, which a resolver can't enforce.
	URLs     []blocklist.Match
	Divert   string   // list whose url entries divert the host to a proxy; empty: none
	Unserved bool     // the server refuses queries from this client
	Missing  []string // lists that are not in the store, or can't be read
	Copies   []Copy   // states on disk of the signed and the fetched lists

	Zone      string // zone that contains the name and for which the general upstream is not asked; empty: none
	Forwarded bool   // Zone is forwarded to other resolvers; false: the server answers it itself
}

// Copy says which state of a list is on disk.
type Copy struct {
	List   string
	Serial uint64    // serial of the release; 0: the list is not signed
	Made   time.Time // when the release was made, or the file last changed
}

// Unsure reports whether a list in Missing could change the decision.
func (e *Explanation) Unsure() bool {
	allows := slices.ContainsFunc(e.Missing, config.IsAllowList)
	return len(e.Missing) > 0 && !e.Unserved && (allows || !e.Blocks() && !e.Allows())
}

// Explain returns the decision of a server with these settings on a target. The target is a name, an address in an
// answer, or a URL, of which the host counts. If client is the zero address, no view applies. A server may run at the
// same time: Explain reads its store and does not change it. If a file has changed since the server read it, Explain
// reads the new content, unless it is on hold. It logs missing lists and lists on hold. The error wraps
// [blocklist.ErrMalformed] if the target is not valid.
func Explain(s *config.Settings, target string, client netip.Addr, log *slog.Logger) (Explanation, error) {
	q, err := parseLookup(target)
	if err != nil {
		return Explanation{}, err
	}
	c := s.Server()
	if c.Records, err = s.ReadRecords(); err != nil {
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
			held = fresh // there is no store yet
		case err != nil:
			return err
		default:
			defer held.Close() //nolint:errcheck // it was only read
		}
		missing, err := readChanged(s, held, fresh, log)
		if err == nil {
			out = explain(&c, stores{held, fresh}, q, client)
			out.Missing, out.Copies = missing, copiesOf(s, held)
		}
		return err
	})
	return out, err
}

// lookupTarget is the parsed target of [Explain]: a name or an address, and the URL if the target is one.
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

// explain returns the decision on the target q for a client.
func explain(c *dnsfilter.Config, both stores, q lookupTarget, client netip.Addr) (out Explanation) {
	if out.Unserved = !c.Serves(client); out.Unserved {
		out.Action = dnsfilter.Refused
		return out
	}
	v := c.Policy.View(client)
	out.Held = both.matches(q.matches)
	out.Decision = v.Choose(out.Held, func(list string) []blocklist.Match { return q.entries(both.of(list), list) })
	if q.addr.IsValid() {
		out.Decision = v.WithZonesAddr(out.Decision, q.addr)
	} else {
		out.Decision = v.WithZones(out.Decision, []byte(q.name), client)
	}
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
		zone, forwarded := c.OwnZone([]byte(q.name))
		out.Zone, out.Forwarded = zone.String(), forwarded
	}
	return out
}

// matches returns the matches of the target in a store, one per list.
func (q *lookupTarget) matches(store *blocklist.Store) []blocklist.Match {
	if q.addr.IsValid() {
		return store.AppendAddrMatches(nil, q.addr)
	}
	return store.AppendMatches(nil, []byte(q.name))
}

// entries returns all entries of one list that match the target.
func (q *lookupTarget) entries(store *blocklist.Store, list string) []blocklist.Match {
	if q.addr.IsValid() {
		return store.AppendAddrEntries(nil, list, q.addr)
	}
	return store.AppendEntries(nil, list, []byte(q.name))
}

// readChanged loads each local file whose current content is not in the service's store (held) into the temporary store
// (fresh). It skips files on hold. It returns the names of the lists that neither store has.
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
			logHeldNow(log, f, isHeld)
		}
	}
	unread, err := readZones(s, made, log)
	if err != nil {
		return nil, err
	}
	return slices.Concat(missing, unread, neverReleased(s, held, log)), nil
}

// neverReleased returns the names of the signed lists without a readable release in the store.
func neverReleased(s *config.Settings, held *blocklist.Store, log *slog.Logger) (lists []string) {
	for _, l := range s.Lists {
		if info, ok := held.List(l.Rule.List); l.File == "" && (!ok || info.Err != nil || info.Serial == 0) {
			log.Warn("nothing is held of a list", slog.String("list", l.Rule.List))
			lists = append(lists, l.Rule.List)
		}
	}
	return lists
}

// copiesOf returns the state on disk of each list that is signed or fetched.
func copiesOf(s *config.Settings, held *blocklist.Store) (all []Copy) {
	for _, l := range s.Lists {
		if info, ok := held.List(l.Rule.List); ok && l.File == "" && info.Serial > 0 {
			all = append(all, Copy{List: l.Rule.List, Serial: info.Serial, Made: info.Created})
			continue
		}
		c := Copy{List: l.Rule.List}
		for _, path := range []string{l.File, rpz.JournalOf(l.File)} {
			if file, err := os.Stat(path); err == nil && l.Fetch.IsSet() && file.ModTime().After(c.Made) {
				c.Made = file.ModTime()
			}
		}
		if !c.Made.IsZero() {
			all = append(all, c)
		}
	}
	return all
}

// readZones reads the policy zones among the lists, as a service does when it starts. It returns the names of those
// that have no rules in force.
func readZones(s *config.Settings, by func() (guards, error), log *slog.Logger) (missing []string, err error) {
	kept := zoneLists{log: log, dir: zoneCopies(s.State)}
	for _, l := range s.ZoneLists() {
		g, err := by()
		if err != nil {
			return nil, err
		}
		f, next := l.LocalFile(), dnsfilter.NewPolicyZone(l.RPZ)
		before := kept.restore(f, l.Rule.Zone)
		enforced := before.source != ""
		now, held, err := g.readZone(f, next, l.Rule.Zone, before)
		switch {
		case err != nil:
			log.Warn("list can't be read", slog.String("list", f.List), slog.Any("error", err))
			if !enforced {
				missing = append(missing, f.List)
			}
		case held != nil:
			logHeldNow(log, f, enforced)
		case now.source != before.source:
			l.Rule.Zone.Adopt(next)
		}
	}
	return missing, nil
}

// logHeldNow logs that the current content of a file is on hold, and whether an earlier state of the list is enforced.
func logHeldNow(log *slog.Logger, f config.LocalFile, enforced bool) {
	log.Warn("the guards hold the file as it is now", slog.String("list", f.List), slog.Bool("enforced_as_before", enforced))
}

// stores are two stores of lists: held is the store of the server, and fresh is a temporary store with newer versions
// of some lists, which take precedence.
type stores struct{ held, fresh *blocklist.Store }

// of returns the store with the newest version of a list.
func (s stores) of(list string) *blocklist.Store {
	if _, replaced := s.fresh.List(list); replaced {
		return s.fresh
	}
	return s.held
}

// diverting returns the name of the first list whose url entries make the view v divert the host, or an empty string.
func (s stores) diverting(v *dnsfilter.View, host []byte) string {
	for i := range v.Rules {
		r := &v.Rules[i]
		if len(r.Divert) > 0 && s.of(r.List).HasURLs(r.List, host) {
			return r.List
		}
	}
	return ""
}

// matches calls find for both stores. It returns one match per list, from the store with the newest version of the
// list.
func (s stores) matches(find func(*blocklist.Store) []blocklist.Match) []blocklist.Match {
	matches := find(s.held)
	if s.held == s.fresh {
		return matches
	}
	matches = slices.DeleteFunc(matches, func(m blocklist.Match) bool { return s.of(m.List) == s.fresh })
	return append(matches, find(s.fresh)...)
}
