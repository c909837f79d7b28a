package formats

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// modified is the reason for skipping a rule with modifiers. Such a rule applies to some requests only.
const modified = "rule with modifiers, unsupported"

// adblock parses the rules of ad blockers. It uses rules for whole domain names, with the meaning that DNS filters give
// them.
type adblock struct {
	*deferred
	exceptions            []exception
	patterns, expressions int
	// takenBack has the exceptions that a badfilter line disables. Its keys are results of exception.rule.
	takenBack map[string]bool
}

// exception is an exception rule (@@...). Exceptions are evaluated at the end of the file, since a later badfilter line
// may disable one.
type exception struct {
	pattern, modifiers string
	line               int
}

func (a *adblock) line(t *lineSink, text string) {
	text = strings.TrimSpace(text)
	switch {
	case text == "" || text[0] == '!' || isAdblockHeader(text):
	case isCosmetic(text):
		t.skip(cosmetic)
	case text[0] == '#':
	case strings.HasPrefix(text, "@@"):
		a.exception(t, text[2:])
	default:
		a.rule(t, text)
	}
}

// isAdblockHeader reports whether a line is a header that names the ad blocker: [Adblock Plus 2.0], [uBlock Origin],
// [AdGuard].
func isAdblockHeader(text string) bool {
	if text[0] != '[' || !strings.HasSuffix(text, "]") {
		return false
	}
	text = strings.ToLower(text)
	return strings.Contains(text, "block") || strings.Contains(text, "guard")
}

func isCosmetic(rule string) bool {
	if strings.IndexByte(rule, '#') < 0 {
		return false
	}
	for _, sign := range []string{"##", "#@#", "#?#", "#$#", "#%#"} {
		if strings.Contains(rule, sign) {
			return true
		}
	}
	return false
}

// cutModifiers splits a rule at the $ before its modifiers. A $ within a regular expression does not count.
func cutModifiers(rule string) (pattern, modifiers string) {
	expression := 0
	if strings.HasPrefix(rule, "/") {
		expression = strings.LastIndexByte(rule, '/')
	}
	if i := strings.IndexByte(rule[expression:], '$'); i >= 0 {
		return rule[:expression+i], rule[expression+i+1:]
	}
	return rule, ""
}

// cutBadfilter removes the modifier badfilter and reports whether it was there. A rule with badfilter disables the
// same rule without it.
func cutBadfilter(modifiers string) (rest string, ok bool) {
	if !strings.Contains(modifiers, "badfilter") {
		return modifiers, false
	}
	all := strings.Split(modifiers, ",")
	kept := slices.DeleteFunc(slices.Clone(all), func(m string) bool { return m == "badfilter" })
	return strings.Join(kept, ","), len(kept) < len(all)
}

// rule parses a blocking rule, and records what it says: ||name^ or ||name^| lists a name or an address, or, with the
// modifier badfilter, disables the rule that lists it. Other rules are skipped.
func (a *adblock) rule(t *lineSink, text string) {
	pattern, modifiers := cutModifiers(text)
	modifiers, takes := cutBadfilter(modifiers)
	name, ok := wholeName(pattern)
	switch {
	case takes && (modifiers != "" || !ok): // a badfilter rule lists nothing
		t.skip(takesBack)
	case takes:
		a.target(t, name, withdrawn)
	case modifiers != "":
		t.skip(modified)
	case !ok:
		t.skip(patternRule)
	default:
		a.target(t, name, listDomain)
	}
}

// wholeName returns the text between || and ^. It reports whether the text may be a name or an address.
func wholeName(pattern string) (name string, ok bool) {
	name, anchored := strings.CutPrefix(pattern, "||")
	name, rest, separated := strings.Cut(name, "^")
	ok = anchored && separated && (rest == "" || rest == "|") && name != "" && name[len(name)-1] != '.' &&
		(!strings.ContainsAny(name, "*/:$|") || name[0] == '[')
	return name, ok
}

// target records the mark m, which says what a rule does, for the name or the address in a text.
func (a *adblock) target(t *lineSink, text string, m mark) {
	// a cheap test first: most targets are names, and building an error is slow
	if endsInDigit(text) || strings.IndexByte(text, ':') >= 0 {
		if ip, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil && ip.Zone() == "" {
			prefix, _ := blocklist.IPEntry(netip.PrefixFrom(ip, ip.BitLen())).Prefix()
			a.ip(t, prefix, m)
			return
		}
	}
	if strings.Trim(text, "0123456789.") == "" { // the first octets of an address
		t.skip(patternRule)
		return
	}
	a.text(t, text, m, destination{})
}

func (a *adblock) exception(t *lineSink, text string) {
	e := exception{line: t.number}
	e.pattern, e.modifiers = cutModifiers(strings.Clone(text)) // does not keep the lines around it in memory
	rest, takes := cutBadfilter(e.modifiers)
	if !takes {
		t.records++
		a.exceptions = append(a.exceptions, e)
		return
	}
	e.modifiers = rest
	if a.takenBack == nil {
		a.takenBack = map[string]bool{}
	}
	a.takenBack[e.rule()] = true
	t.skip(takesBack)
}

// rule returns the text of an exception with its modifiers sorted, so that equal exceptions have equal texts.
func (e *exception) rule() string {
	modifiers := strings.Split(e.modifiers, ",")
	slices.Sort(modifiers)
	return e.pattern + "$" + strings.Join(modifiers, ",")
}

// end evaluates the exceptions, then yields the entries.
func (a *adblock) end(t *lineSink, yield func(blocklist.Entry) bool) {
	for i := range a.exceptions {
		e := &a.exceptions[i]
		t.number, t.records = e.line, t.records-1 // skip and except count it again
		if len(a.takenBack) > 0 && a.takenBack[e.rule()] {
			t.skip(takesBack)
		} else {
			a.except(t, e)
		}
	}
	a.deferred.end(t, yield)
}
