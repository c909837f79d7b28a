package formats

import (
	"net/netip"
	"strings"
)

const (
	digits       = "0123456789"
	notNetwork   = "not an address or network"
	bitsOutside  = "network with bits set outside its prefix"
	maxSizeChars = 3 // of the length of a prefix
)

// isNetwork reports whether a text without a scheme is a network, or a mistake in one: an address or numbers, with a
// slash and a number behind it. With anything else behind the slash, it may be the URL of a page on an address, but
// not on numbers that are none.
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

// badNetwork counts a mistake in a network, and says how to write it if that is known.
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
