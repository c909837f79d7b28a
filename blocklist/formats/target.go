package formats

import (
	"net/netip"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// target returns the entry for a text that is a URL, an address or a prefix. It returns false for other text.
func target(text string) (e blocklist.Entry, ok bool) {
	if strings.ContainsAny(text, " \t") { // ParseEntry would read the rest as attributes
		return e, false
	}
	e, err := blocklist.ParseEntry(text)
	if err == nil && e.Scope == blocklist.ScopeURL {
		host, _ := urlParts(e)
		return e, isURLHost(strings.TrimPrefix(host, "*."))
	}
	return e, err == nil && e.Scope == blocklist.ScopeIP
}

// urlParts returns the host of a URL entry, and reports whether the URL has more than a host.
func urlParts(e blocklist.Entry) (host string, path bool) {
	host, rest, _ := strings.Cut(e.Key(), "/")
	return host, rest != ""
}

// isURLHost reports whether a host is an address, or a name of at least two labels.
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

// urlTarget is like [target], for a URL that may lack its scheme. It returns false for a network, even if that is
// malformed.
func urlTarget(text string) (e blocklist.Entry, ok bool) {
	if !strings.Contains(text, "://") {
		if isNetwork(text) {
			return e, false
		}
		text = "https://" + text
	}
	return target(text)
}

// hasFragment reports whether a URL has a fragment, which names a part of a page or a view of an application. No
// entry can express a fragment.
func hasFragment(url string) bool {
	_, fragment, _ := strings.Cut(url, "#")
	return fragment != ""
}

// addIf adds the entry that the function parse returns for the text. If parse fails, addIf counts the text as bad, with
// the reason why.
func addIf(t *lineSink, parse func(string) (blocklist.Entry, bool), text, why string) {
	if e, ok := parse(text); ok {
		t.add(e)
		return
	}
	t.bad(why)
}

// addressTarget is like [target], for addresses and prefixes only. It returns false for a URL.
func addressTarget(text string) (e blocklist.Entry, ok bool) {
	e, ok = target(text)
	return e, ok && e.Scope == blocklist.ScopeIP
}
