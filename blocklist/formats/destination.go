package formats

import (
	"net/netip"

	"github.com/argine-dns/argine/blocklist"
)

// destination is where a list leads a name: an address, another name, or, if neither is set, nowhere.
type destination struct {
	addr netip.Addr
	name blocklist.Name
}

// parseDestination reads an address or a name.
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

// isNull reports whether a destination stands for "no such host": an unspecified or loopback address, or a name that
// has no other (RFC 6761, sections 6.3 and 6.4).
func (d destination) isNull() bool {
	if d.addr.IsValid() {
		a := d.addr.Unmap()
		return a.IsUnspecified() || a.IsLoopback()
	}
	top := topLabel(d.name)
	return top == "" || top == "localhost" || top == "invalid"
}

// kind tells apart the destinations that one name may have at the same time.
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
