package formats

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/argine-dns/argine/blocklist"
)

// forSomeCases is what becomes of a conditional exception in an allow file.
const forSomeCases = "exception for some cases only, unsupported"

// maxPatterns is how many exceptions of a list may be patterns: each that names no domain is compared with every name
// that is listed.
const (
	maxPatterns    = 200
	maxExpressions = 20 // of these, regular expressions, which take longer
)

// hostPattern is what the pattern of an exception says of host names.
type hostPattern struct {
	text  string // lower case; asterisks in it stand for anything
	first bool   // it begins where the host name does
	label bool   // it begins where a label does
	open  bool   // more may follow in the host name
	rest  string // what stands behind the host name
}

// parseHostPattern reads ||text, |text, ://text, http://text and text. One of ^/:?| ends the host name.
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

// isName reports whether the pattern is a host name, with those below it or not.
func (p *hostPattern) isName() bool {
	return (p.first || p.label) && !p.open && !strings.Contains(p.text, "*")
}

// fits returns a function that reports whether a host name, with a dot before it, fits: the texts between asterisks
// stand in it one after the other.
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

// except does what an exception says. One for some cases is one for all of them: what is said to be allowed sometimes
// can't be listed. In an allow file, where it would be an entry, it is none.
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

// isPlain reports whether an exception holds in all cases.
func (e *exception) isPlain() bool { return e.modifiers == "" || e.modifiers == "important" }

// isWhole reports whether a pattern is a name and nothing behind it.
func (p *hostPattern) isWhole() bool { return p.isName() && (p.rest == "" || p.rest == "|") }

// isExpression reports whether a pattern is a regular expression.
func isExpression(pattern string) bool {
	return len(pattern) > 2 && pattern[0] == '/' && strings.HasSuffix(pattern, "/")
}

// exceptPattern keeps an exception for names that end in a text or have an asterisk in it. The names that it fits are
// no entries, nor are the domains that have such names below them, as far as it says which those are.
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
	case p.open && p.label && !several: // what looks like a name, and may be meant to be one
		a.text(t, p.text, passDomain, destination{})
	case p.open || labels == 0 || several && labels == 1:
		t.skip(fitsNames)
	case several: // an asterisk stands for dots, too
		remember(a.passes, n, passBelow, t.number)
		fallthrough
	default:
		t.skip(excepted)
		remember(a.passes, star+n, passBelow, t.number)
	}
}

// exceptNames keeps an exception for the names that stand in one that can't be read.
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

// lookaround is what regular expressions have elsewhere, and not here. Without it, an expression fits more.
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

// addPattern keeps a pattern for names below the parent.
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
