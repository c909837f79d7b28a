package formats

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/argine-dns/argine/blocklist"
)

// forSomeCases is the reason for skipping a conditional exception in an allow list.
const forSomeCases = "exception for some cases only, unsupported"

// maxPatterns and maxExpressions limit the number of pattern exceptions in a file. A pattern without a domain is
// compared with every listed name.
const (
	maxPatterns    = 200
	maxExpressions = 20 // maximum number of regular expressions among the patterns; they are slower
)

// hostPattern is the pattern of an exception, as it applies to host names.
type hostPattern struct {
	text  string // lower-case text to find in the host name; an asterisk matches any text
	first bool   // whether the match must be at the beginning of the host name
	label bool   // whether the match must be at the beginning of a label
	open  bool   // whether the host name may continue after the match
	rest  string // the rest of the pattern, for the part of the URL after the host name
}

// parseHostPattern parses a pattern such as ||text, |text, ://text, http://text or text. The part for the host name
// ends at one of ^/:?|.
func parseHostPattern(pattern string) hostPattern {
	text, label := strings.CutPrefix(pattern, "||")
	text, first := strings.CutPrefix(text, "|")
	if _, host, ok := strings.Cut(text, "://"); ok {
		text, first = host, true
	}
	p := hostPattern{text: strings.ToLower(text), label: label, first: first && !label, open: true}
	if i := strings.IndexAny(p.text, "^/:?|"); i >= 0 {
		p.text, p.rest, p.open = p.text[:i], p.text[i+1:], false
	}
	if host := strings.TrimRight(p.text, "*"); host != p.text {
		p.text, p.open = host, true
	}
	if host := strings.TrimLeft(p.text, "*"); host != p.text {
		p.text, p.first, p.label = host, false, false
	}
	return p
}

// isName reports whether the pattern is one host name, with or without the names below it.
func (p *hostPattern) isName() bool {
	return (p.first || p.label) && !p.open && !strings.Contains(p.text, "*")
}

// fits returns a function that reports whether a host name matches. Callers put a dot before the host name. The parts
// between asterisks must occur in the host name, in their order.
func (p *hostPattern) fits() func(dotted string) bool {
	texts, skip := strings.Split(p.text, "*"), 1
	if p.first || p.label {
		texts[0], skip = "."+texts[0], 0
	}
	last := len(texts) - 1
	return func(dotted string) bool {
		rest, ok := dotted[skip:], true
		if p.first {
			ok = strings.HasPrefix(rest, texts[0])
		}
		for i := 0; i < last && ok; i++ {
			_, rest, ok = strings.Cut(rest, texts[i])
		}
		if p.open {
			return ok && strings.Contains(rest, texts[last])
		}
		return ok && strings.HasSuffix(rest, texts[last])
	}
}

// except evaluates an exception. It treats a conditional exception as an unconditional one: a name that is sometimes
// allowed is not listed. In an allow list, it skips conditional exceptions: as entries, they would always allow their
// names.
func (a *adblock) except(t *lineSink, e *exception) {
	name, whole := wholeName(e.pattern)
	p := parseHostPattern(e.pattern)
	always := (whole || p.isWhole()) && e.isPlain()
	switch {
	case a.allow && !always:
		t.skip(forSomeCases)
	case whole:
		a.target(t, name, passDomain)
	case isExpression(e.pattern):
		a.exceptExpression(t, e.pattern[1:len(e.pattern)-1])
	case strings.Trim(p.text, ".*-_") == "":
		a.exceptNames(t, e.pattern)
	case p.isName() && p.first:
		a.target(t, p.text, passName)
	case p.isName():
		a.target(t, p.text, passDomain)
	default:
		a.exceptPattern(t, &p)
	}
}

// isPlain reports whether an exception is unconditional.
func (e *exception) isPlain() bool { return e.modifiers == "" || e.modifiers == "important" }

// isWhole reports whether a pattern is a host name with nothing after it.
func (p *hostPattern) isWhole() bool { return p.isName() && (p.rest == "" || p.rest == "|") }

// isExpression reports whether a pattern is a regular expression.
func isExpression(pattern string) bool {
	return len(pattern) > 2 && pattern[0] == '/' && strings.HasSuffix(pattern, "/")
}

// exceptPattern records an exception by a pattern that matches host names by a part of their text. Matching names are
// not listed. If the pattern shows which domains may have matching names below them, these domains are not listed
// either.
func (a *adblock) exceptPattern(t *lineSink, p *hostPattern) {
	if strings.Trim(p.text, "abcdefghijklmnopqrstuvwxyz0123456789-_.*") != "" {
		a.exceptNames(t, p.text+" "+p.rest)
		return
	}
	end := p.text[strings.LastIndexByte(p.text, '*')+1:]
	_, parent, _ := strings.Cut(end, ".")
	n, labels := t.hostName(parent)
	if p.open || labels == 0 {
		a.addPattern(t, root, p.fits())
	} else {
		a.addPattern(t, n, p.fits())
	}
	switch several := strings.Contains(p.text, "*"); {
	case p.open && p.label && !several: // looks like a name, and may be meant as one
		a.text(t, p.text, passDomain, destination{})
	case p.open || labels == 0 || several && labels == 1:
		t.skip(fitsNames)
	case several: // an asterisk matches dots, too
		remember(a.passes, n, passBelow, t.number)
		fallthrough
	default:
		t.skip(excepted)
		remember(a.passes, star+n, passBelow, t.number)
	}
}

// exceptNames excepts the names that occur in a pattern that can't be evaluated.
func (a *adblock) exceptNames(t *lineSink, pattern string) {
	before := t.records
	between := func(r rune) bool { return r < utf8.RuneSelf && r != '.' && !isPlain(byte(r)) }
	for _, word := range strings.FieldsFunc(pattern, between) {
		name := strings.Trim(word, ".")
		if _, labels := t.hostName(name); labels > 1 {
			a.text(t, name, passDomain, destination{})
		}
	}
	if t.records == before {
		t.skip(noName)
	}
}

// lookaround matches lookaround assertions, which other languages have in regular expressions, but not Go. They are
// removed, so the expression matches more names.
var lookaround = regexp.MustCompile(`\(\?<?[=!][^()]*\)`)

func (a *adblock) exceptExpression(t *lineSink, expression string) {
	re, err := regexp.Compile("(?i)" + lookaround.ReplaceAllString(expression, ""))
	if err != nil {
		a.exceptNames(t, strings.ReplaceAll(expression, `\.`, "."))
		return
	}
	t.skip(fitsNames)
	if a.expressions++; a.expressions > maxExpressions {
		t.refusal = "more than 20 exceptions by regular expressions in it"
		return
	}
	a.addPattern(t, root, func(dotted string) bool { return re.MatchString(dotted[1:]) })
}

// addPattern records a pattern exception. The argument fits reports whether a name matches the pattern. Only names
// below the argument parent can match.
func (a *adblock) addPattern(t *lineSink, parent blocklist.Name, fits func(dotted string) bool) {
	if a.fits == nil {
		a.fits = map[blocklist.Name][]func(string) bool{}
	}
	if a.patterns++; a.patterns > maxPatterns {
		t.refusal = "more than 200 exceptions by patterns in it"
		return
	}
	a.fits[parent] = append(a.fits[parent], fits)
}
