package proposal

import (
	"cmp"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/argine-dns/argine/blocklist"
)

// Found is a target that [FindTargets] has found in a text, or a part of the text that looks like one.
type Found struct {
	Line   int    `json:"line"`             // line number, from 1
	Text   string `json:"text"`             // the target as written in the text
	Target string `json:"target,omitempty"` // canonical target; empty: the text can't be proposed
	Why    string `json:"why,omitempty"`    // Err as text
	Err    error  `json:"-"`                // why the text can't be proposed; nil: it can
	// Sure reports whether the text is clearly meant as a target. Otherwise a person must decide.
	Sure  bool `json:"sure"`
	Again int  `json:"again,omitempty"` // number of further lines with the same target
}

// Limits of a text.
const (
	MaxText  = 1 << 20 // maximum length of a text, in bytes
	maxFound = 10_000
)

// FindTargets finds URLs, names and addresses in the text of an e-mail. It returns each target once, in the order of
// the text.
//
// Found.Sure is set for a text that is clearly meant as a target: a URL with a scheme, a name that begins with www, a
// text that was defanged (hxxp, [.], (.), [:]//), or a target alone on its line. It is not set for a name in the middle
// of a sentence, nor for anything after the closing words of a letter. FindTargets ignores the header of the e-mail
// except the subject, the signature below "--", and the domains of e-mail addresses. A text that looks like a target
// but can't be proposed is returned with the reason.
//
// It fails with [blocklist.ErrTooLarge] beyond [MaxText], or beyond 10,000 targets.
func FindTargets(r io.Reader) (all []Found, err error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxText+1))
	if err != nil {
		return nil, err
	}
	if len(text) > MaxText {
		return nil, fmt.Errorf("the text: %w: at most %d bytes are read", blocklist.ErrTooLarge, MaxText)
	}
	at, last := map[string]int{}, map[string]int{} // index in all, and the last line, of a target or of a text that is none
	n, m := 0, mail{}
	for line := range strings.Lines(strings.ToValidUTF8(string(text), " ")) {
		n++
		read, sure := m.read(line)
		for _, f := range findInLine(read) {
			f.Line, f.Sure = n, f.Sure && sure
			key := cmp.Or(f.Target, "?"+f.Text)
			i, again := at[key]
			if again && last[key] != n {
				all[i].Again++
			}
			last[key] = n
			if again {
				all[i].Sure = all[i].Sure || f.Sure
				continue
			}
			at[key] = len(all)
			if all = append(all, f); len(all) > maxFound {
				return nil, fmt.Errorf("the text: %w: more than %d targets", blocklist.ErrTooLarge, maxFound)
			}
		}
	}
	return all, nil
}

// Regular expressions for parts of a line.
var (
	quotePrefix = regexp.MustCompile(`^[\s>|*•·\-]*(?:\d{1,4}[.)]\s+)?`)
	defangs     = regexp.MustCompile(`(?i)\[(\.|dot|:|://|/)\]|\((\.|dot|:|://|/)\)|\{(\.|dot|:|://|/)\}|\[?h(?:xx|\*\*|__)ps?\]?`)
	blanks      = regexp.MustCompile("[\\s<>\"`|«»“”]+")
	nextURL     = regexp.MustCompile(`(?i)[,;](h(?:tt|xx|\*\*|__)ps?)`)
	scheme      = regexp.MustCompile(`(?i)^https?:/`)
	// misspelt matches a URL with a misspelt scheme, such as htps:/ or http//.
	misspelt  = regexp.MustCompile(`(?i)^h?t{1,3}ps?(?:[:;]?/{1,3}|[:;])[^\s/:;@]+\.[^\s@]+$`)
	hostShape = regexp.MustCompile(`^(?i)[\p{L}\p{N}_-]+(\.[\p{L}\p{N}_-]+)*\.[\p{L}][\p{L}\p{N}-]*\.?(:\d{1,5})?(/\S*)?$`)
)

// Refang undoes defanging. People defang a URL so that no one opens it by mistake: hxxp, [.], (.), [dot], [:]//.
func Refang(text string) string {
	return defangs.ReplaceAllStringFunc(text, func(part string) string {
		lower := strings.ToLower(strings.Trim(part, "[](){}"))
		switch {
		case lower == "dot":
			return "."
		case strings.HasSuffix(lower, "ps"):
			return "https"
		case strings.HasSuffix(lower, "p"):
			return "http"
		}
		return lower
	})
}

// findInLine returns the targets in a line, in their order.
func findInLine(line string) (all []Found) {
	line = quotePrefix.ReplaceAllString(strings.TrimSpace(line), "")
	words := splitWords(line)
	for _, word := range words {
		if f, ok := findInWord(word, len(words) == 1); ok {
			all = append(all, f)
		}
	}
	return all
}

// splitWords splits a line at blanks, and at commas and semicolons that are not part of a URL.
func splitWords(line string) (words []string) {
	for _, word := range blanks.Split(line, -1) {
		if strings.Contains(word, "/") {
			words = append(words, strings.Fields(nextURL.ReplaceAllString(word, " $1"))...)
		} else {
			words = append(words, strings.FieldsFunc(word, func(r rune) bool { return r == ',' || r == ';' })...)
		}
	}
	return words
}

// findInWord returns the target that a word stands for. It returns false if the word can't be meant as a target. Alone
// reports whether the word is the only one of its line.
func findInWord(word string, alone bool) (f Found, ok bool) {
	f.Text = trimPunctuation(word)
	plain := Refang(f.Text)
	if at := strings.Index(plain, "http"); at > 0 && scheme.MatchString(plain[at:]) && !strings.ContainsAny(plain[:at], "./") {
		plain = trimPunctuation(plain[at:]) // "URL:https://...", "[here](https://...)"
	}
	defanged := plain != f.Text && !strings.HasSuffix(f.Text, plain)
	f.Sure = scheme.MatchString(plain) || misspelt.MatchString(plain) || isHost(plain, defanged, alone)
	if !f.Sure && !mayBeHost(plain) {
		return f, false
	}
	e, err := ParseTarget(plain)
	if err != nil {
		f.Err, f.Why = err, err.Error()
		return f, f.Sure
	}
	f.Target = e.Target()
	return f, true
}

// isHost reports whether a text without a scheme clearly is a host, with or without a path. Alone means that it is the
// only word of its line.
func isHost(text string, defanged, alone bool) bool {
	host, _, _ := strings.Cut(text, "/")
	switch {
	case strings.Contains(host, "@"):
		return false
	case isAddress(host):
		return defanged || alone
	case !hostShape.MatchString(text):
		return false
	}
	return defanged || strings.HasPrefix(strings.ToLower(text), "www.") || alone && knownTop(host)
}

// mayBeHost reports whether a text in a sentence may be meant as a host, with or without a path.
func mayBeHost(text string) bool {
	host, _, _ := strings.Cut(text, "/")
	return isAddress(host) || hostShape.MatchString(text) && knownTop(host)
}

// trimPunctuation removes the punctuation of a sentence from both ends of a word.
func trimPunctuation(word string) string {
	for {
		trimmed := strings.TrimRight(strings.TrimLeft(word, "([{:;!¡¿'‘’"), ".,;:!?…'‘’")
		for _, pair := range []string{"()", "[]", "{}"} {
			if strings.HasSuffix(trimmed, pair[1:]) && strings.Count(trimmed, pair[1:]) > strings.Count(trimmed, pair[:1]) {
				trimmed = trimmed[:len(trimmed)-1]
			}
		}
		if trimmed == word {
			return word
		}
		word = trimmed
	}
}

func isAddress(text string) bool {
	_, err := netip.ParseAddr(text)
	return err == nil
}

// knownTop reports whether a name ends in a top-level domain that exists. This keeps file names from being taken for
// hosts.
func knownTop(host string) bool {
	host, _, _ = strings.Cut(strings.ToLower(strings.TrimSuffix(host, ".")), ":")
	labels := strings.Split(host, ".")
	switch top := labels[len(labels)-1]; {
	case len(labels) < 2:
		return false
	case top == "example", top == "test":
		return true
	}
	suffix, managed := publicsuffix.PublicSuffix(host)
	return managed || strings.Contains(suffix, ".")
}

// ParseTarget parses a target in the forms in which people report targets: an entry, a URL in any spelling and with or
// without its scheme, a name or an address. The text may be defanged. ParseTarget never returns a broader target than
// the text: a URL stays a URL. Attributes may follow, as in [blocklist.ParseEntry].
func ParseTarget(text string) (blocklist.Entry, error) {
	text = strings.TrimSpace(text)
	target, rest := text, ""
	if i := strings.IndexAny(text, " \t"); i >= 0 {
		target, rest = text[:i], text[i:]
	}
	target = Refang(target)
	e, err := blocklist.ParseEntry(target + rest)
	host, _, isPage := strings.Cut(target, "/")
	name, _, _ := strings.Cut(host, ":") // htps:/x and http:x are no hosts
	if err != nil && isPage && !strings.Contains(target, "://") && strings.ContainsAny(name, ".[") {
		if page, err := blocklist.ParseEntry("https://" + target + rest); err == nil {
			return page, nil
		}
	}
	return e, err
}
