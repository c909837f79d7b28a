package desk

import (
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// scopeOf returns the key of the text that says what the entry with this target covers. It returns an empty text for
// anything that is not a target.
func scopeOf(target string) string {
	e, err := blocklist.ParseEntry(target)
	switch {
	case err != nil:
		return ""
	case isWWW(target) && e.Scope == blocklist.ScopeHost:
		return "covers.host.www"
	case isWWW(target):
		return "covers.www"
	case e.Scope == blocklist.ScopeHost:
		return "covers.host"
	case e.Scope == blocklist.ScopeIP:
		return "covers.address"
	case e.Scope == blocklist.ScopeDomain:
		return "covers.domain"
	case strings.HasSuffix(target, "/*"):
		return "covers.path"
	}
	return "covers.page"
}

// isPage reports whether a target is a page or the pages below a path, which resolvers can't block.
func isPage(target string) bool { return strings.HasPrefix(target, "https://") }

// isWWW reports whether a target is the subdomain www of a site. An entry for it does not cover the site itself.
func isWWW(target string) bool {
	site, www := strings.CutPrefix(strings.TrimPrefix(target, "="), "www.")
	return www && strings.Contains(site, ".")
}

// siteOf returns the domain that a person has probably meant by a URL of the first page of a site, or of all its pages.
// It returns an empty text for any other target.
func siteOf(target string) string {
	url, ok := strings.CutPrefix(target, "https://")
	host, path, _ := strings.Cut(url, "/")
	if !ok || path != "" && path != "*" {
		return ""
	}
	return strings.Trim(strings.TrimPrefix(host, "*."), "[]")
}
