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

// Files returns the paths of the files with protected names and with popular names.
func (g GuardLimits) Files() []string { return slices.Concat(g.Protected, g.Popular) }

// Load creates a guard with these limits. It reads the files of protected and popular names. The argument needs has
// more protected entries.
func (g GuardLimits) Load(needs ...blocklist.Entry) (*guard.Guard, error) {
	limits := guard.Limits{MaxGrowth: g.MaxGrowth, MaxShrink: g.MaxShrink, NoBuiltIn: g.NoBuiltIn}
	if err := readNames(g.Protected, &limits.Protected, guard.ReadProtected); err != nil {
		return nil, err
	}
	err := readNames(g.Popular, &limits.Popular, func(r io.Reader) ([]guard.Popular,
		error,
	) {
		return guard.ReadPopular(r, 0)
	})
	if err != nil {
		return nil, err
	}
	limits.Protected = append(limits.Protected, needs...)
	return guard.New(limits)
}

// parseBuiltIn parses the value of the key built_in, on or off. It returns true for off.
func parseBuiltIn(text string) (off bool, err error) {
	if text != "on" && text != "off" {
		return false, fmt.Errorf("built_in %q: it is on or off", text)
	}
	return text == "off", nil
}

// Needs returns the names that the resolver itself depends on: the hosts that lists come from, and the names on the
// certificates of its upstreams. If these names were blocked, no correction of a list could arrive.
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
		for _, from := range slices.Concat(l.From, l.Fetch.URLs) {
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
