package httpfilter

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// Lookup looks up what a request asks for: target is that of the request line in any form (RFC 9112, section 3.2), host is
// the Host field. Where both name a host both are looked up, and what blocks goes first: a request may go to one and be
// meant for the other. It takes every spelling that [blocklist.ParseURL] takes, and what can't be read is not listed.
func Lookup(l List, method, target, host string) (blocklist.Match, bool) {
	switch {
	case method == http.MethodConnect:
		m, ok := lookupAuthority(l, target)
		return or(m, ok, host != target, func() (blocklist.Match, bool) { return lookupAuthority(l, host) })
	case target == "*":
		return lookupAuthority(l, host)
	case target == "" || strings.ContainsRune(`/\?#`, rune(target[0])):
		return lookupAt(l, host, target)
	}
	m, ok := l.LookupURL(target)
	authority, rest := cutAuthority(target)
	return or(m, ok, host != authority, func() (blocklist.Match, bool) { return lookupAt(l, host, rest) })
}

// or returns a match that blocks, and else what is found elsewhere, if that says more.
func or(m blocklist.Match, ok, elsewhere bool, find func() (blocklist.Match, bool)) (blocklist.Match, bool) {
	if !elsewhere || ok && !m.Monitor {
		return m, ok
	}
	if other, found := find(); found && (!ok || !other.Monitor) {
		return other, found
	}
	return m, ok
}

// lookupAt looks up path and query at a host.
func lookupAt(l List, host, path string) (blocklist.Match, bool) {
	if host == "" {
		return blocklist.Match{}, false
	}
	return l.LookupURL("http://" + host + "/" + path)
}

// cutAuthority splits an absolute target.
func cutAuthority(target string) (authority, rest string) {
	if _, after, ok := strings.Cut(target, "://"); ok {
		target = after
	}
	if i := strings.IndexAny(target, `/\?#`); i >= 0 {
		return target[:i], target[i:]
	}
	return target, ""
}

// lookupAuthority looks up the host of host:port by the entries of names and addresses. It is read as that of a URL is,
// since what a browser or a resolver takes for an address or a name is the same there.
func lookupAuthority(l List, text string) (blocklist.Match, bool) {
	authority, _ := cutAuthority(text)
	u, err := blocklist.ParseURL("http://" + authority[strings.LastIndexByte(authority, '@')+1:])
	if err != nil {
		return blocklist.Match{}, false
	}
	if a, err := netip.ParseAddr(strings.Trim(u.Host, "[]")); err == nil {
		return l.LookupAddr(a)
	}
	return l.LookupHost(u.Host)
}
