package desk

import (
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
)

// canonical returns the target that a person has typed in any form: defanged, with a scheme or not, in the letters of
// any script. It returns the text if that is no target.
func canonical(text string) string {
	e, err := proposal.ParseTarget(text)
	if err != nil {
		return strings.TrimSpace(text)
	}
	return e.Target()
}

// partOf returns what the targets about a typed text contain.
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

// beginnings returns the ranges of the targets that begin with a typed text: names, alone or with what is below them,
// and pages on them.
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

// isNetwork reports whether a text is a network.
func isNetwork(text string) bool {
	e, err := blocklist.ParseEntry(text)
	return err == nil && e.Scope == blocklist.ScopeIP
}

// afterAll follows every character of a target.
const afterAll = "\U0010ffff"
