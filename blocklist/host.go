package blocklist

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
)

// ParseHost reads a host as programs hand it around: a name in any spelling that [ParseName] takes, an IPv4 address
// in any form that browsers take, an IPv6 address with or without brackets, each with or without a port, blanks
// around it or a zone (which is dropped). That is what http.Request.Host, the address of a net.Conn, a TLS server
// name and the target of a CONNECT or SOCKS request hold. The result is an address if addr is valid, else a name.
//
// It fails with [ErrMalformed] where there is no host, or more than a host, such as a URL; see [ParseURL] for those.
func ParseHost(text string) (name Name, addr netip.Addr, err error) {
	host := trimBlanks(text)
	if a, err := netip.ParseAddr(host); err == nil {
		return "", a.WithZone(""), nil
	}
	if strings.IndexByte(host, '\\') >= 0 { // an escape of DNS names, never a part of a URL's host
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
	if len(wire) < 2 || bytes.IndexByte(canonical, '%') >= 0 { // a browser takes no host with octets that must be escaped
		return "", netip.Addr{}, fmt.Errorf("host %q: %w: neither a name nor an address", excerpt(text), ErrMalformed)
	}
	return Name(wire), netip.Addr{}, nil
}

// withoutPort cuts off a port, be it a number or the name of a service, and the zone of an address in brackets (RFC
// 4007, section 11), which means something on one machine only.
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

// LookupHost looks a host up in all lists, and returns the match of the first list that blocks it, else the first
// that monitors it. The host may have any form that [ParseHost] takes: a name is looked up among names, an address as
// by LookupAddr. A URL is looked up as by LookupURL. What holds none of these is not listed; ParseHost and ParseURL
// tell it from what could be read. A name or an IPv4 address that is not listed costs no allocation, the name with or
// without a port.
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

// lookupCopied is LookupName for a name whose bytes the caller uses again: the match has its own.
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

// numberLast reports whether the last label of a name of at least one label begins with a digit: then the text may be
// an IPv4 address (WHATWG URL, "ends in a number").
func numberLast(wire []byte) bool {
	last := 0
	for i := 0; wire[i] != 0; i += 1 + int(wire[i]) {
		last = i
	}
	return wire[last+1]-'0' < 10
}
