package config

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"slices"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/dnsfilter/internal/files"
)

// GuardLimits say what holds an update of a signed list, or a changed file, until a person decides; see package guard.
type GuardLimits struct {
	MaxGrowth, MaxShrink float64  // shares of the list that may come or go at once; zero: the standard
	Protected            []string // files of names and addresses that no entry may touch
	Popular              []string // files of popular names, which no entry may cover
}

// Files are all that the guards read.
func (g GuardLimits) Files() []string { return slices.Concat(g.Protected, g.Popular) }

// Load makes the guard that signed lists share. Needs are protected, too.
func (g GuardLimits) Load(needs ...blocklist.Entry) (*guard.Guard, error) {
	limits := guard.Limits{MaxGrowth: g.MaxGrowth, MaxShrink: g.MaxShrink}
	if err := readNames(g.Protected, &limits.Protected, guard.ReadProtected); err != nil {
		return nil, err
	}
	err := readNames(g.Popular, &limits.Popular, func(r io.Reader) ([]guard.Popular,
		error) {
		return guard.ReadPopular(r, 0)
	})
	if err != nil {
		return nil, err
	}
	limits.Protected = append(limits.Protected, needs...)
	return guard.New(limits)
}

// Needs are the names that the resolver itself lives by: those of the origins that it gets its lists from and confirms
// them to, and those on the certificates of its upstreams. Where they were blocked, no correction would come any more.
func (s *Settings) Needs() (names []blocklist.Entry) {
	add := func(host, what string) {
		name, err := blocklist.ParseName(host)
		if _, isAddr := netip.ParseAddr(host); err != nil || isAddr == nil {
			return
		}
		e := blocklist.HostEntry(name)
		e.Reference = what
		names = append(names, e)
	}
	for _, l := range s.Lists {
		for _, from := range l.From {
			if u, err := url.Parse(from); err == nil && u.Host != "" {
				add(u.Hostname(), "this resolver needs it: list "+l.Rule.List+" comes from there")
			}
		}
	}
	for _, u := range s.Upstream {
		if u.Name != "" {
			add(u.Name, "this resolver needs it: it is an upstream")
		}
	}
	return names
}

func readNames[T any](paths []string, dst *[]T, read func(io.Reader) ([]T, error)) error {
	for _, path := range paths {
		f, err := files.Open(path)
		if err != nil {
			return err
		}
		names, err := read(f)
		if err = errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		*dst = append(*dst, names...)
	}
	return nil
}
