package formats

import (
	"net/netip"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// target reads a URL, an address or a prefix.
func target(text string) (e blocklist.Entry, ok bool) {
	if strings.ContainsAny(text, " \t") { // what follows would be taken for attributes
		return e, false
	}
	e, err := blocklist.ParseEntry(text)
	if err == nil && e.Scope == blocklist.ScopeURL {
		host, _ := urlParts(e)
		return e, isURLHost(strings.TrimPrefix(host, "*."))
	}
	return e, err == nil && e.Scope == blocklist.ScopeIP
}

// urlParts returns the host of a URL entry, and whether it says more than the host.
func urlParts(e blocklist.Entry) (host string, path bool) {
	host, rest, _ := strings.Cut(e.Key(), "/")
	return host, rest != ""
}

// isURLHost reports whether a host is an address or a name of at least two labels.
func isURLHost(host string) bool {
	if isAddress(host) {
		return true
	}
	var buf [blocklist.MaxName]byte
	_, labels := hostWire(buf[:0], host)
	return labels > 1
}

// isAddress reports whether the host of a URL is an address.
func isAddress(host string) bool {
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil
}

// urlTarget is target for a URL whose scheme may be missing. A network, or a mistake in one, is none.
func urlTarget(text string) (e blocklist.Entry, ok bool) {
	if !strings.Contains(text, "://") {
		if isNetwork(text) {
			return e, false
		}
		text = "https://" + text
	}
	return target(text)
}

// hasFragment reports whether a URL stands for a part of a page, or a view of an application: no entry can say that.
func hasFragment(url string) bool {
	_, fragment, _ := strings.Cut(url, "#")
	return fragment != ""
}

// addIf reports what read makes of the text, or the reason otherwise.
func addIf(t *lineSink, read func(string) (blocklist.Entry, bool), text, otherwise string) {
	if e, ok := read(text); ok {
		t.add(e)
		return
	}
	t.bad(otherwise)
}

// addressTarget is target for an address or a prefix alone.
func addressTarget(text string) (e blocklist.Entry, ok bool) {
	e, ok = target(text)
	return e, ok && e.Scope == blocklist.ScopeIP
}
