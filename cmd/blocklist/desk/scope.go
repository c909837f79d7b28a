package desk

import (
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// scopeOf returns the key of the text that says what an entry covers.
func scopeOf(e blocklist.Entry) string {
	switch {
	case e.Scope == blocklist.ScopeHost:
		return "covers.host"
	case e.Scope == blocklist.ScopeIP:
		return "covers.address"
	case e.Scope == blocklist.ScopeDomain:
		return "covers.domain"
	case strings.HasSuffix(e.Target(), "/*"):
		return "covers.path"
	}
	return "covers.page"
}

// scopeOfTarget is [scopeOf] for a target in text form. It returns an empty text if that is not a target.
func scopeOfTarget(target string) string {
	e, err := blocklist.ParseEntry(target)
	if err != nil {
		return ""
	}
	return scopeOf(e)
}
