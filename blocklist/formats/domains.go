package formats

import (
	"slices"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
)

// domains parses a list of plain domains. Its first line may be the header of an order, with the order's number and
// date.
type domains struct{ begun bool }

func (d *domains) line(t *lineSink, text string) {
	if !d.begun && !blank(text) {
		d.begun = true
		if t.reference = orderHeader(text); t.reference != "" {
			return
		}
	}
	parseDomains(t, text)
}

func (d *domains) end(*lineSink, func(blocklist.Entry) bool) {}

// orderHeader returns the number and date in the header of an order, or an empty string for any other line. The date
// may be written in several ways: 0000351_2025.30.08, 12 2026.11.05, 351_2026-05-11, 351_11.05.2026.
func orderHeader(line string) string {
	line = strings.TrimSpace(line)
	i := strings.IndexAny(line, "_ ")
	if i <= 0 || strings.Trim(line[:i], "0123456789") != "" {
		return ""
	}
	for _, layout := range []string{
		"2006.02.01", "2006.01.02", "2006-01-02", "2006-02-01", "20060102", "02.01.2006",
		"02-01-2006",
	} {
		if _, err := time.Parse(layout, line[i+1:]); err == nil {
			return line
		}
	}
	return ""
}

// parseDomains parses a line of plain domains: a name, a URL or an address.
func parseDomains(t *lineSink, line string) {
	// the fast path for most lines
	if wire, labels := blocklist.AppendHostname(t.wire[:0], line); labels > 1 && !endsInDigit(line) &&
		!endsInNumber(wire) {
		t.add(blocklist.DomainEntry(blocklist.Name(t.names.add(wire))))
		return
	}
	if text := cutComment(line); !blank(text) {
		addText(t, text)
	}
}

// addText adds an entry for a text that is a name, a URL or an address.
func addText(t *lineSink, text string) {
	switch {
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

// addTarget adds an entry for a text that may be an address, a prefix, a URL with or without a scheme, or a name that
// ends in a digit. In a list of names, a URL without a path lists its host.
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

// isRow reports whether a text that looks like a URL is probably the row of a table: its host occurs again in it, or
// it ends in empty fields.
func isRow(text, host string) bool {
	for _, separator := range []string{";", ",", "|"} {
		fields := strings.Split(text, separator)
		if slices.Contains(fields[1:], host) || len(fields) > 2 && strings.HasSuffix(text, separator+separator) {
			return true
		}
	}
	return false
}
