package blocklist

import (
	"bytes"
	"net/netip"
	"strings"
	"unicode/utf8"
)

// appendHost appends the canonical host of user:password@host:port, or nothing if there is no host. If the host is an
// address, it returns the address, too.
func appendHost(dst []byte, s string) ([]byte, netip.Addr) {
	s = s[strings.LastIndexByte(s, '@')+1:]
	if i := strings.LastIndexByte(s, ':'); i >= 0 && isDigits(s[i+1:]) {
		s = s[:i]
	}
	if strings.IndexByte(s, '%') >= 0 {
		s = string(appendUnescaped(nil, s))
	}
	// Dots at the ends are removed now, since the rest could look like an address otherwise.
	if inside, ok := strings.CutPrefix(strings.Trim(s, "."), "["); ok && strings.HasSuffix(inside, "]") {
		return appendIPv6(dst, inside[:len(inside)-1])
	}
	if !isASCII(s) && utf8.ValidString(s) {
		ascii, why := toASCII(s)
		if why != "" { // the name has invalid Unicode letters, so there is no host
			return dst, netip.Addr{}
		}
		s = ascii
	}
	start := len(dst)
	dst = appendLower(dst, s)
	if a, ok := parseIPv4(dst[start:]); ok {
		return a.AppendTo(dst[:start]), a
	}
	return escape(dst, start, `/\?@:[]`), netip.Addr{}
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// appendIPv6 appends an address in brackets. If the address stands for an IPv4 address, it appends the IPv4 address.
func appendIPv6(dst []byte, s string) ([]byte, netip.Addr) {
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is6() || a.Zone() != "" {
		return dst, netip.Addr{}
	}
	if v4, ok := embedded(a); ok {
		return v4.AppendTo(dst), v4
	}
	return append(a.AppendTo(append(dst, '[')), ']'), a
}

// embedded returns the IPv4 address within an IPv6 address that is IPv4-mapped or has the well-known NAT64 prefix (RFC
// 6052, section 2.1).
func embedded(a netip.Addr) (netip.Addr, bool) {
	b := a.As16()
	nat64 := bytes.HasPrefix(b[:], []byte{0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0})
	return netip.AddrFrom4([4]byte(b[12:])), a.Is4In6() || nat64
}

// appendLower appends a host in lower case. It removes dots at the ends and repeated dots.
func appendLower(dst []byte, s string) []byte {
	start := len(dst)
	for i := range len(s) {
		if s[i] != '.' || len(dst) > start && dst[len(dst)-1] != '.' {
			dst = append(dst, lower(s[i]))
		}
	}
	if len(dst) > start && dst[len(dst)-1] == '.' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

// parseIPv4 parses an IPv4 address in all forms of inet_aton and browsers: up to four parts in decimal, octal or
// hexadecimal, of which the last fills the remaining bytes. It ignores excess bits, and text after a space.
func parseIPv4(host []byte) (netip.Addr, bool) {
	host, _, _ = bytes.Cut(host, []byte{' '})
	var v uint32
	for i, more := 0, true; more; i++ {
		var part []byte
		part, host, more = bytes.Cut(host, []byte{'.'})
		n, ok := parseIPv4Part(part)
		if !ok || i == 4 {
			return netip.Addr{}, false
		}
		if more {
			n = n & 0xff << (24 - 8*i)
		} else {
			n &= 1<<(32-8*i) - 1
		}
		v |= uint32(n)
	}
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}), true
}

// parseIPv4Part parses a number of less than 60 bits in lower case. The text 0x is 0.
func parseIPv4Part(p []byte) (n uint64, ok bool) {
	base := uint64(10)
	switch {
	case len(p) > 1 && p[0] == '0' && p[1] == 'x':
		base, p = 16, p[2:]
	case len(p) > 1 && p[0] == '0':
		base = 8
	}
	for _, c := range p {
		digit := uint64(unhex(c))
		if digit >= base || n >= 1<<56 {
			return 0, false
		}
		n = n*base + digit
	}
	return n, len(p) > 0 || base == 16
}

// appendHostName appends the host of e in wire form, or nothing if the host is not a name.
func appendHostName(dst []byte, e expression) []byte {
	if e.addr.IsValid() {
		return dst
	}
	dst = append(dst, 0)
	length := 0
	for i := 0; i < e.path; i++ {
		c := e.text[i]
		if c == '%' {
			c, i = unhex(e.text[i+1])<<4|unhex(e.text[i+2]), i+2
		}
		if c != '.' {
			dst = append(dst, c)
		}
		n := len(dst) - length - 1
		if n > MaxLabel || len(dst) >= MaxName {
			return dst[:0]
		}
		if c == '.' || i == e.path-1 {
			dst[length], length = byte(n), len(dst)
			dst = append(dst, 0)
		}
	}
	return dst
}
