package formats

import (
	"regexp"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/argine-dns/argine/blocklist"
)

// consob parses orders of CONSOB, the Italian authority for the financial markets: prose, as the text of a page or
// its HTML. It lists URLs and names that begin with www. Other names in prose may be those of companies: they are
// only counted. The reference of an entry is the number and day of the last order before it, or in the same line.
type consob struct {
	reference string // number and day of the last order
}

var (
	// consobOrder matches an order with its number and day: "delibera n. 23456 del 6 novembre 2026", "provvedimento n.
	// 12/2026 del 06/11/2026".
	consobOrder = regexp.MustCompile(`(?i)\b(?:delibera|provvedimento|comunicato|comunicazione)\s+n(?:\.|°|r\.)?\s*([0-9][0-9./-]*)\s+` +
		`del(?:l['’])?\s*([0-9]{1,2}[°º]?(?:\s+[a-z]+\s+|[/.-][0-9]{1,2}[/.-])[0-9]{4})\b`)
	proseWord = regexp.MustCompile(`[^\s"<>«»“”„` + "`" + `]+`)
	urlBegins = regexp.MustCompile(`(?i)\b(?:https?://|www\.)`)
	twoURLs   = regexp.MustCompile(`(?i)[,;|](?:https?://|www\.)`)
)

func (c *consob) end(*lineSink, func(blocklist.Entry) bool) {}

func (c *consob) line(t *lineSink, text string) {
	orders := consobOrder.FindAllStringSubmatchIndex(text, -1)
	refer := func() {
		o := orders[0]
		c.reference = "CONSOB " + text[o[2]:o[3]] + " " + strings.Join(strings.Fields(text[o[4]:o[5]]), " ")
	}
	if len(orders) > 0 {
		refer()
	}
	for _, at := range proseWord.FindAllStringIndex(text, -1) {
		for len(orders) > 1 && orders[1][0] <= at[0] {
			orders = orders[1:]
			refer()
		}
		before := len(t.out)
		addProse(t, text[at[0]:at[1]])
		for i := range t.out[before:] {
			t.out[before+i].Reference = c.reference
		}
	}
}

// addProse adds the URL that a word of prose contains, without the punctuation around it. A word with two URLs is
// counted as invalid.
func addProse(t *lineSink, word string) {
	at := urlBegins.FindStringIndex(word)
	if at == nil {
		if isNameInProse(trimProse(word)) {
			t.skip(nameInProse)
		}
		return
	}
	url := trimProse(word[at[0]:])
	switch {
	case strings.Contains(word[:at[0]], "@"): // the address of a mailbox
	case twoURLs.MatchString(url):
		t.bad("two URLs without a space between them")
	default:
		addText(t, url)
	}
}

// trimProse removes punctuation at the end of a word, brackets and quotes at its beginning, and the closing brackets
// that belong to the removed ones.
func trimProse(word string) string {
	word = strings.TrimLeft(word, "([{'‘’")
	for word != "" {
		rest := strings.TrimRight(word, ".,;:!?'’")
		for _, pair := range []string{"()", "[]", "{}"} {
			if strings.HasSuffix(rest, pair[1:]) && strings.Count(rest, pair[1:]) > strings.Count(rest, pair[:1]) {
				rest = rest[:len(rest)-1]
			}
		}
		if rest == word {
			break
		}
		word = rest
	}
	return word
}

// isNameInProse reports whether a word is a host name below a public suffix.
func isNameInProse(word string) bool {
	var buf [blocklist.MaxName]byte
	if _, labels := hostWire(buf[:0], word); labels < 2 {
		return false
	}
	_, public := publicsuffix.PublicSuffix(strings.ToLower(word))
	return public
}
