package formats

import (
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// parseDnscrypt reads a rule of dnscrypt-proxy. There, *.name covers the name itself too.
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

// addRuleName reports a name from a rule whose form leaves no doubt that a name is meant, so that one label will do.
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
