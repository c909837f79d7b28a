package service

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/guard"
)

// files are all that the guards read.
func (g Guard) files() []string { return slices.Concat(g.Protected, g.Popular) }

// load makes the guard that signed lists share. Needs are protected, too.
func (g Guard) load(needs ...blocklist.Entry) (*guard.Guard, error) {
	limits := guard.Limits{MaxGrowth: g.MaxGrowth, MaxShrink: g.MaxShrink}
	if err := readNames(g.Protected, &limits.Protected, guard.ReadProtected); err != nil {
		return nil, err
	}
	err := readNames(g.Popular, &limits.Popular, func(r io.Reader) ([]guard.Popular, error) { return guard.ReadPopular(r, 0) })
	if err != nil {
		return nil, err
	}
	limits.Protected = append(limits.Protected, needs...)
	return guard.New(limits)
}

// needs are the names that the resolver itself lives by: those of the origins that it gets its lists from and confirms them to,
// and those on the certificates of its upstreams. Where they were blocked, no correction would come any more.
func (s *Settings) needs() (names []blocklist.Entry) {
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
		f, err := openFile(path)
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

// source identifies what load would read.
func (g Guard) source() string {
	var text strings.Builder
	fmt.Fprint(&text, g)
	for _, path := range g.files() {
		fmt.Fprintf(&text, " %s", settingsSource(path))
	}
	return text.String()
}

// guards are those in force, and what they were made from.
type guards struct {
	signed    *guard.Guard
	diverting *guard.Guard // of signed lists that divert
	own       *guard.Guard // of local lists
	allow     *guard.Guard // of allow lists

	source string
}

// of returns the guard of a signed list.
func (g guards) of(l *List) *guard.Guard {
	if len(l.Divert) > 0 {
		return g.diverting
	}
	return g.signed
}

// next returns the guards of the settings: the same ones if nothing has changed, so that no list is followed anew.
func (g guards) next(settings *Settings) (guards, error) {
	needs := settings.needs()
	source := fmt.Sprint(settings.Guard.source(), needs)
	if g.signed != nil && g.source == source {
		return g, nil
	}
	signed, err := settings.Guard.load(needs...)
	if err != nil {
		return g, fmt.Errorf("reading what the guards know: %w", err)
	}
	return guards{signed, signed.Diverting(), signed.Own(), signed.Allow(), source}, nil
}
