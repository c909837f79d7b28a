package dnsfilter

import (
	"errors"
	"io/fs"
	"log/slog"
	"slices"

	"github.com/argine-dns/argine/blocklist"
)

// Lookup tells what a server with these settings does with a name. It reads the store beside a running server and changes
// nothing there; files that the store does not hold as they are now are read for this one answer. Lists of which nothing
// is held are warned about in log.
func (s *Settings) Lookup(host string, log *slog.Logger) (Decision, error) {
	name, err := blocklist.ParseName(host)
	if err != nil {
		return Decision{}, err
	}
	var d Decision
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
		p := s.Policy()
		d = p.choose(s.matches(held, fresh, name))
		return nil
	})
	return d, err
}

// readChanged reads into fresh the files that held does not hold as they are.
func (s *Settings) readChanged(held, fresh *blocklist.Store, log *slog.Logger) {
	for _, l := range s.localFiles() {
		if _, current := l.held(held); current {
			continue
		}
		if err := l.load(fresh, log); err != nil {
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

// matches returns what holds a name: fresh lists take the place of those that are held.
func (s *Settings) matches(held, fresh *blocklist.Store, name blocklist.Name) []blocklist.Match {
	matches := held.AppendMatches(nil, []byte(name))
	if held == fresh {
		return matches
	}
	matches = slices.DeleteFunc(matches, func(m blocklist.Match) bool {
		_, replaced := fresh.List(m.List)
		return replaced
	})
	return fresh.AppendMatches(matches, []byte(name))
}
