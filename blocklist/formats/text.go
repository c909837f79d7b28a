package formats

import (
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// parseDomains reads a line of plain domains: a name, or a URL or an address, which then stand for themselves.
func parseDomains(t *lineSink, line string) {
	// most lines
	if wire, labels := blocklist.AppendHostname(t.wire[:0], line); labels > 1 && !endsInDigit(line) &&
		!endsInNumber(wire) {
		t.add(blocklist.DomainEntry(blocklist.Name(t.names.add(wire))))
		return
	}
	text := cutComment(line)
	switch {
	case blank(text):
	case strings.ContainsAny(text, " \t"):
		t.bad(notName)
	case strings.Contains(text, "/") && hasFragment(text):
		t.skip(withFragment)
	case strings.HasPrefix(text, "*.") && strings.Count(text, "*") == 1:
		t.skip(wildcardName)
	case strings.Contains(text, "*"):
		t.skip(patternRule)
	case strings.ContainsAny(text, "/:") || endsInDigit(text):
		addTarget(t, text)
	default:
		t.addName(text, blocklist.DomainEntry)
	}
}

func endsInDigit(text string) bool { return isDigit(text[len(text)-1]) }

// addTarget reads what may be an address, a prefix, a URL with or without its scheme, or a name that ends in a digit.
// In a list of names, a URL of a whole host stands for the name.
func addTarget(t *lineSink, text string) {
	e, ok := target(text)
	if !ok && strings.Contains(text, "/") {
		e, ok = urlTarget(text)
	}
	host, path := urlParts(e)
	switch {
	case !ok && isNetwork(text):
		badNetwork(t, text)
	case !ok:
		t.addName(text, blocklist.DomainEntry)
	case e.Scope == blocklist.ScopeURL && !path && !isAddress(host):
		t.addName(host, blocklist.DomainEntry)
	case e.Scope == blocklist.ScopeURL && isRow(text, host):
		t.bad("row of a table")
	default:
		t.add(e)
	}
}

// isRow reports whether a text that could be a URL is the row of a table, among lines that are none: its host stands
// in it once more, or empty fields end it.
func isRow(text, host string) bool {
	for _, separator := range []string{";", ",", "|"} {
		fields := strings.Split(text, separator)
		if slices.Contains(fields[1:], host) || len(fields) > 2 && strings.HasSuffix(text, separator+separator) {
			return true
		}
	}
	return false
}

// ownMagic begins the lists that Write makes of our own lines, so that they are known again.
const ownMagic = "# argine entries"

// parseArgine reads one of our own lines.
func parseArgine(t *lineSink, line string) {
	if text := strings.TrimSpace(line); text == "" || text[0] == '#' {
		return
	}
	e, err := blocklist.ParseEntry(line)
	if target := strings.Fields(line)[0]; err != nil && strings.Contains(target, "://") && hasFragment(target) {
		t.skip(withFragment)
		return
	}
	switch n, named := e.Name(); {
	case err != nil && line[0] == '.':
		t.bad(leadingDot)
	case err != nil:
		t.bad("not an entry")
	case t.guessed && named && n.Labels() < 2 && e.Attributes == blocklist.Attributes{}:
		t.bad(oneLabel)
	default:
		t.add(e)
	}
}

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
