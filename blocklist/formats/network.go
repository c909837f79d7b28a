package formats

import (
	"net/netip"
	"strings"
)

const (
	digits       = "0123456789"
	notNetwork   = "not an address or network"
	bitsOutside  = "network with bits set outside its prefix"
	maxSizeChars = 3 // characters of a prefix length
)

// isNetwork reports whether a text without a scheme is a network, or a malformed network: an address or a number, a
// slash, and a number. If other text follows the slash, the text counts as a network only if the part before it is no
// valid address; otherwise it may be a URL.
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

// badNetwork counts a malformed network, with the correct form as a hint if there is one.
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
