package guard

import (
	"net/netip"
	"slices"
)

// WithDocumentation takes the IPv4 addresses of documentation for ordinary ones: tests have no others.
func (g *Guard) WithDocumentation() *Guard {
	ordinary := *g
	ordinary.specials = slices.DeleteFunc(specials(), func(s special) bool {
		return s.prefix == netip.MustParsePrefix("192.0.2.0/24") || s.prefix == netip.MustParsePrefix("198.51.100.0/24")
	})
	return &ordinary
}
