package formats

import (
	"net/netip"
	"strings"
)

const (
	digits       = "0123456789"
	notNetwork   = "not an address or network"
	bitsOutside  = "network with bits set outside its prefix"
	maxSizeChars = 3 // maximum number of digits of a prefix length
)

// isNetwork reports whether a text without a scheme is a network, or a malformed network. A valid address must be
// followed by a slash and a prefix length, because other text may be the path of a URL. Without a valid address, the
// part before the slash must consist of digits and dots, or have more than one colon and no opening bracket first.
func isNetwork(text string) bool {
	host, size, _ := strings.Cut(strings.TrimRight(text, "/"), "/")
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	numbers := host != "" && strings.Trim(host, digits+".") == "" || strings.Count(host, ":") > 1 &&
		!strings.HasPrefix(host, "[")
	if err != nil {
		return numbers
	}
	number := strings.TrimLeft(size, digits)
	return number != size && len(size)-len(number) <= maxSizeChars && len(number) <= 1
}

// badNetwork counts a malformed network as bad. If bits are set outside the prefix, the hint of the [Skip] has the
// correct form of the first such network.
func badNetwork(t *lineSink, text string) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		t.bad(notNetwork)
		return
	}
	t.bad(bitsOutside)
	if s := &t.skipped[t.find(bitsOutside)]; s.Hint == "" && s.Count == 1 {
		s.Hint = "in the first, write " + p.Masked().String()
	}
}
