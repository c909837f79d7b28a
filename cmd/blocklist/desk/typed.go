package desk

import (
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
)

// canonical returns a typed target in canonical form. The target may be defanged, with or without a scheme, and in any
// script. If the text is not a target, canonical only trims the white space around it.
func canonical(text string) string {
	e, err := proposal.ParseTarget(text)
	if err != nil {
		return strings.TrimSpace(text)
	}
	return e.Target()
}

// partOf returns the part of a typed text to search for in targets: in lower case, without a leading "=" or scheme and
// without a slash at the end.
func partOf(text string) string {
	if e, err := proposal.ParseTarget(text); err == nil {
		text = e.Target()
	}
	text = strings.ToLower(strings.TrimSpace(proposal.Refang(text)))
	for _, prefix := range []string{"=", "https://", "http://"} {
		text = strings.TrimPrefix(text, prefix)
	}
	return strings.TrimSuffix(text, "/")
}

// beginnings returns the ranges of the targets that begin with a typed text: domains, hosts, and URLs on these hosts.
func beginnings(text string) (all []publish.EntryRange) {
	part := partOf(text)
	forms := []string{part, "=" + part, "https://" + part, "https://*." + part}
	switch {
	case part == "":
		return nil
	case strings.HasPrefix(strings.TrimSpace(text), "="):
		forms = forms[1:2]
	case strings.Contains(part, "/") && !isNetwork(part):
		forms = forms[2:]
	}
	for _, form := range forms {
		all = append(all, publish.EntryRange{From: form, Before: form + afterAll})
	}
	return all
}

// isNetwork reports whether a text is an IP address or network.
func isNetwork(text string) bool {
	e, err := blocklist.ParseEntry(text)
	return err == nil && e.Scope == blocklist.ScopeIP
}

// afterAll is a character that sorts after all characters in targets.
const afterAll = "\U0010ffff"
