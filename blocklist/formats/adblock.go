package formats

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// modified is what becomes of a rule that holds for some requests only.
const modified = "rule with modifiers, unsupported"

// adblock reads the rules of ad blockers that concern whole names, as DNS filters read them.
type adblock struct {
	*deferred
	exceptions            []exception
	patterns, expressions int
	takenBack             map[string]bool // the exceptions that other lines take back, see exception.rule
}

// exception is a rule that begins with @@. It is kept until the end: a line behind it may take it back.
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

// isAdblockHeader reports whether a line says for which blocker the rules are: [Adblock Plus 2.0], [uBlock Origin],
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

// cutModifiers splits a rule; a regular expression may hold a dollar sign itself.
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

// cutBadfilter takes the modifier off that takes the rest of its rule back.
func cutBadfilter(modifiers string) (rest string, ok bool) {
	if !strings.Contains(modifiers, "badfilter") {
		return modifiers, false
	}
	all := strings.Split(modifiers, ",")
	kept := slices.DeleteFunc(slices.Clone(all), func(m string) bool { return m == "badfilter" })
	return strings.Join(kept, ","), len(kept) < len(all)
}

// rule reads ||name^, with | behind it or not.
func (a *adblock) rule(t *lineSink, text string) {
	pattern, modifiers := cutModifiers(text)
	modifiers, takes := cutBadfilter(modifiers)
	name, ok := wholeName(pattern)
	switch {
	case takes && (modifiers != "" || !ok): // such a rule lists nothing
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

// wholeName returns what stands between || and ^, if it may be a name or an address.
func wholeName(pattern string) (name string, ok bool) {
	name, anchored := strings.CutPrefix(pattern, "||")
	name, rest, separated := strings.Cut(name, "^")
	ok = anchored && separated && (rest == "" || rest == "|") && name != "" && name[len(name)-1] != '.' &&
		(!strings.ContainsAny(name, "*/:$|") || name[0] == '[')
	return name, ok
}

// target keeps what is said of a name or an address.
func (a *adblock) target(t *lineSink, text string, m mark) {
	// most names are none of this, and an error is slow to build
	if endsInDigit(text) || strings.IndexByte(text, ':') >= 0 {
		if ip, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil && ip.Zone() == "" {
			prefix, _ := blocklist.IPEntry(netip.PrefixFrom(ip, ip.BitLen())).Prefix()
			a.ip(t, prefix, m)
			return
		}
	}
	if strings.Trim(text, "0123456789.") == "" { // the beginning of addresses
		t.skip(patternRule)
		return
	}
	a.text(t, text, m, destination{})
}

func (a *adblock) exception(t *lineSink, text string) {
	e := exception{line: t.number}
	e.pattern, e.modifiers = cutModifiers(strings.Clone(text)) // without the lines around it
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

// rule returns the text of an exception with its modifiers in one order.
func (e *exception) rule() string {
	modifiers := strings.Split(e.modifiers, ",")
	slices.Sort(modifiers)
	return e.pattern + "$" + strings.Join(modifiers, ",")
}

// end takes the exceptions as if their lines came last.
func (a *adblock) end(t *lineSink, yield func(blocklist.Entry) bool) {
	for i := range a.exceptions {
		e := &a.exceptions[i]
		t.number, t.records = e.line, t.records-1 // it is counted again
		if len(a.takenBack) > 0 && a.takenBack[e.rule()] {
			t.skip(takesBack)
		} else {
			a.except(t, e)
		}
	}
	a.deferred.end(t, yield)
}
