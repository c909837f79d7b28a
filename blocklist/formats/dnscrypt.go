package formats

import (
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// parseDnscrypt parses a rule of dnscrypt-proxy. There, *.name includes the name itself.
func parseDnscrypt(t *lineSink, line string) {
	text := cutComment(line)
	if text == "" {
		return
	}
	name, exact := strings.CutPrefix(text, "=")
	if exact {
		addRuleName(t, name, blocklist.HostEntry)
		return
	}
	if strings.Contains(text, "@") {
		t.skip(scheduled)
		return
	}
	text = strings.TrimPrefix(strings.TrimPrefix(text, "*"), ".")
	if strings.ContainsAny(text, "*?[") {
		t.skip(patternRule)
		return
	}
	addRuleName(t, text, blocklist.DomainEntry)
}

// addRuleName adds a name from a rule. If the format is certain, a single label is a name, too, since a rule can't be
// anything else.
func addRuleName(t *lineSink, text string, entry func(blocklist.Name) blocklist.Entry) {
	n, labels := t.hostName(text)
	switch {
	case labels == 0:
		t.bad(notName)
	case labels == 1 && t.guessed:
		t.bad(oneLabel)
	default:
		t.add(entry(n))
	}
}
