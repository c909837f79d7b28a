package desk

import (
	"bytes"
	"html/template"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// nameMark is the placeholder for the reader's name in a page. Other text in a page can't contain it, since it would be
// escaped.
const nameMark = "\x00"

// answer is a finished page. It has [nameMark] in place of the reader's name, so it can be sent to several people.
type answer struct {
	status int
	header http.Header
	text   []byte
	lasts  time.Duration // time for which the page may be cached, to answer further requests
}

// newAnswer returns a page with the output of a template.
func newAnswer(status int, language string, text []byte) *answer {
	parts := bytes.SplitN(text, []byte(nameMark), 2)
	for i, part := range parts {
		parts[i] = visible(part)
	}
	header := http.Header{"Content-Type": {"text/html; charset=utf-8"}, "Content-Language": {language}}
	return &answer{status, header, bytes.Join(parts, []byte(nameMark)), fresh}
}

// send sends the page to the person with this name, which replaces [nameMark].
func (a *answer) send(w http.ResponseWriter, name string) {
	before, after, named := bytes.Cut(a.text, []byte(nameMark))
	shown := visible([]byte(template.HTMLEscapeString(name)))
	if !named {
		shown = nil
	}
	maps.Copy(w.Header(), a.header)
	w.Header().Set("Content-Length", strconv.Itoa(len(before)+len(shown)+len(after)))
	w.WriteHeader(a.status)
	for _, part := range [][]byte{before, shown, after} {
		_, _ = w.Write(part) // the reader may be gone
	}
}

// visible escapes invisible characters in a page, and characters that change the writing direction. Such characters
// come from data; the desk's own texts have none.
func visible(page []byte) []byte {
	if bytes.IndexFunc(page, hidden) < 0 {
		return page
	}
	var b bytes.Buffer
	for len(page) > 0 {
		r, n := utf8.DecodeRune(page)
		if hidden(r) {
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		} else {
			b.Write(page[:n])
		}
		page = page[n:]
	}
	return b.Bytes()
}

func hidden(r rune) bool {
	if ' ' <= r && r <= '~' {
		return false
	}
	return !unicode.IsGraphic(r) && r != '\n' && r != '\t' || r == unicode.ReplacementChar
}
