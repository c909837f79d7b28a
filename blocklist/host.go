package blocklist

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
)

// ParseHost parses a host in any common form: a name as for [ParseName], an IPv4 address as browsers read it, or an
// IPv6 address with or without brackets. Each may have a port, a zone (which is dropped) and blanks around it. So it
// accepts http.Request.Host, the address of a net.Conn, a TLS server name, and the target of a CONNECT or SOCKS
// request. If addr is valid, the host is an address, otherwise a name.
//
// It fails with [ErrMalformed] if there is no host, or more than a host, such as a URL. For URLs, see [ParseURL].
func ParseHost(text string) (name Name, addr netip.Addr, err error) {
	host := trimBlanks(text)
	if a, err := netip.ParseAddr(host); err == nil {
		return "", a.WithZone(""), nil
	}
	if strings.IndexByte(host, '\\') >= 0 { // escapes of DNS names never occur in a URL's host
		name, err = ParseName(host)
		return name, netip.Addr{}, err
	}
	if strings.ContainsAny(host, "/?#\t\r\n") {
		return "", netip.Addr{}, fmt.Errorf("host %q: %w: it holds more than a host", excerpt(text), ErrMalformed)
	}
	canonical, addr := appendHost(nil, withoutPort(host))
	if addr.IsValid() {
		return "", addr, nil
	}
	wire := appendHostName(nil, expression{text: canonical, path: len(canonical)})
	if len(wire) < 2 || bytes.IndexByte(canonical, '%') >= 0 { // browsers reject hosts that need percent-encoding
		return "", netip.Addr{}, fmt.Errorf("host %q: %w: neither a name nor an address", excerpt(text), ErrMalformed)
	}
	return Name(wire), netip.Addr{}, nil
}

// withoutPort removes a port, which is a number or a service name, and the zone of an address in brackets (RFC 4007,
// section 11), which has a meaning on one machine only.
func withoutPort(host string) string {
	if inside, _, ok := strings.Cut(host, "]"); ok && host[0] == '[' {
		address, _, _ := strings.Cut(inside, "%")
		return address + "]"
	}
	if before, _, ok := strings.Cut(host, ":"); ok && strings.Count(host, ":") == 1 {
		return before
	}
	return host
}

// LookupHost looks up a host in all lists. It returns the match of the first list that blocks the host, or else of the
// first list that monitors it. The host may have any form that [ParseHost] accepts: a name, or an address, which is
// looked up as by LookupAddr. A URL is looked up as by LookupURL. Unparsable text is not listed. Use ParseHost or
// ParseURL to detect it. Looking up an unlisted IPv4 address, or an unlisted name with or without a port, does not
// allocate.
func (s *lookups) LookupHost(host string) (Match, bool) {
	var buf [MaxName]byte
	if text, port, _ := strings.Cut(host, ":"); isDigits(port) {
		if name, labels := AppendHostname(buf[:0], text); labels > 0 && !numberLast(name) {
			return s.lookupCopied(name)
		}
	}
	name, addr, err := ParseHost(host)
	switch {
	case err != nil:
		return s.LookupURL(host)
	case addr.IsValid():
		return s.LookupAddr(addr)
	}
	return s.LookupName([]byte(name))
}

// lookupCopied is like LookupName, for a name in a buffer that the caller reuses: the match has a copy of the name.
func (s *lookups) lookupCopied(name []byte) (Match, bool) {
	v := s.view.Load()
	var w suffixes
	w.walk(v.secret, name)
	f := v.first(func(l *list) candidate { return l.findName(&w, name) })
	if f.info == nil {
		return Match{}, false
	}
	return f.match(bytes.Clone(name[f.at:])), true
}

// numberLast reports whether the last label begins with a digit. Then the text may be an IPv4 address (WHATWG URL,
// "ends in a number").
func numberLast(wire []byte) bool {
	last := 0
	for i := 0; wire[i] != 0; i += 1 + int(wire[i]) {
		last = i
	}
	return wire[last+1]-'0' < 10
}
