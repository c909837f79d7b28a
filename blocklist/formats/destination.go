package formats

import (
	"net/netip"

	"github.com/argine-dns/argine/blocklist"
)

// destination is the answer that a list gives for a name: an address or another name. The zero value is no answer.
type destination struct {
	addr netip.Addr
	name blocklist.Name
}

// parseDestination parses an address or a name.
func parseDestination(text string) (destination, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return destination{addr: a.Unmap()}, nil
	}
	n, err := blocklist.ParseName(text)
	return destination{name: n}, err
}

// String implements fmt.Stringer.
func (d destination) String() string {
	if d.addr.IsValid() {
		return d.addr.String()
	}
	return d.name.String()
}

// isNull reports whether a destination means "no such host": an unspecified or loopback address, or a name without a
// real address (RFC 6761, sections 6.3 and 6.4).
func (d destination) isNull() bool {
	if d.addr.IsValid() {
		a := d.addr.Unmap()
		return a.IsUnspecified() || a.IsLoopback()
	}
	top := topLabel(d.name)
	return top == "" || top == "localhost" || top == "invalid"
}

// kind distinguishes names, IPv4 addresses and IPv6 addresses. A name may have one destination of each kind.
func (d destination) kind() int {
	switch {
	case !d.addr.IsValid():
		return 0
	case d.addr.Is4():
		return 1
	default:
		return 2
	}
}
