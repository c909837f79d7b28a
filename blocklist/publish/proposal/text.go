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

// Found is what [FindTargets] has found in a text.
type Found struct {
	Line   int    `json:"line"`             // from 1
	Text   string `json:"text"`             // the target as written in the text
	Target string `json:"target,omitempty"` // canonical; empty: the text can't be proposed
	Why    string `json:"why,omitempty"`    // why it can't be proposed
	Err    error  `json:"-"`                // Why as an error
	Sure   bool   `json:"sure"`             // it is clearly meant; otherwise a person must decide
}

// Limits of a text.
const (
	MaxText  = 1 << 20 // bytes
	maxFound = 10_000
)

// FindTargets finds URLs, names and addresses in the text of an e-mail, in the order of the text, each target once. It
// is sure of what is clearly meant as a target: a URL with a scheme, a name that begins with www, whatever was defanged
// (hxxp, [.], (.), [:]//), and what stands alone on its line. It is not sure of a name in the middle of a sentence, nor
// of what follows the closing words of a letter. It takes nothing from the header of the e-mail but its subject,
// nothing from a signature below "--", and never the domain of an e-mail address. What looks like a target and can't be
// proposed is returned with the reason.
//
// It fails with [blocklist.ErrTooLarge] beyond [MaxText] or 10,000 targets.
func FindTargets(r io.Reader) (all []Found, err error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxText+1))
	if err != nil {
		return nil, err
	}
	if len(text) > MaxText {
		return nil, fmt.Errorf("the text: %w: at most %d bytes are read", blocklist.ErrTooLarge, MaxText)
	}
	at := map[string]int{} // where a target, or a text that is none, is in all
	n, m := 0, mail{}
	for line := range strings.Lines(strings.ToValidUTF8(string(text), " ")) {
		n++
		read, sure := m.read(line)
		for _, f := range findInLine(read) {
			f.Line, f.Sure = n, f.Sure && sure
			key := cmp.Or(f.Target, "?"+f.Text)
			if i, again := at[key]; again {
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

// Parts of a line.
var (
	quotePrefix = regexp.MustCompile(`^[\s>|*•·\-]*(?:\d{1,4}[.)]\s+)?`)
	defangs     = regexp.MustCompile(`(?i)\[(\.|dot|:|://|/)\]|\((\.|dot|:|://|/)\)|\{(\.|dot|:|://|/)\}|\[?h(?:xx|\*\*|__)ps?\]?`)
	blanks      = regexp.MustCompile("[\\s<>\"`|«»“”]+")
	nextURL     = regexp.MustCompile(`(?i)[,;](h(?:tt|xx|\*\*|__)ps?)`)
	scheme      = regexp.MustCompile(`(?i)^https?:/`)
	misspelt    = regexp.MustCompile(`(?i)^h?t{1,3}ps?(?:[:;]?/{1,3}|[:;])[^\s/:;@]+\.[^\s@]+$`) // htps:/, http//
	hostShape   = regexp.MustCompile(`^(?i)[\p{L}\p{N}_-]+(\.[\p{L}\p{N}_-]+)*\.[\p{L}][\p{L}\p{N}-]*\.?(:\d{1,5})?(/\S*)?$`)
)

// Refang undoes defanging, with which people keep a URL from being opened by mistake: hxxp, [.], (.), [dot], [:]//.
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

// findInLine returns the targets that it finds in a line, in their order.
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

// splitWords splits a line at blanks, and at commas and semicolons that are no part of a URL.
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

// findInWord returns the target that a word is, and false if it can't be meant as one.
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

// isHost reports whether a text without a scheme is clearly a host, with a path or not.
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

// mayBeHost reports whether a text in a sentence may be meant as a host, with a path or not.
func mayBeHost(text string) bool {
	host, _, _ := strings.Cut(text, "/")
	return isAddress(host) || hostShape.MatchString(text) && knownTop(host)
}

// trimPunctuation removes the punctuation around a word in a sentence.
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

// knownTop reports whether a name ends in a top-level domain that exists. So the name of a file is not taken for a
// host.
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

// ParseTarget parses a target in the forms in which people report it: an entry, a URL of any spelling with or without
// its scheme, a name or an address, defanged or not. It widens nothing: a URL stays that page. Attributes may follow,
// as in [blocklist.ParseEntry].
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
