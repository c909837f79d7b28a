// Package report writes printable pages from the ledger of package publish: what happened in a month, and the history
// of one entry. A page is one HTML file in a language of package words. It has no scripts and no links, and loads
// nothing from elsewhere.
package report

import (
	"embed"
	"html/template"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
	"github.com/argine-dns/argine/blocklist/publish/words"
	"github.com/argine-dns/argine/blocklist/receipt"
)

// Options has the data of a page that does not come from the ledger.
type Options struct {
	Language string        // one of words.Languages; empty: English
	Program  string        // name and version of the program that writes the page
	Deadline time.Duration // time limit within which subscribers must enforce a release
	Receipts *Receipts     // the verified receipts; nil: there are none, and the page says so
	Unread   error         // why the receipts can't be read; the page shows the error; nil: they can
}

// Receipts are the verified receipts for a list.
type Receipts struct {
	From        string // where the receipts were read, for the page
	Subscribers []string
	Statements  []receipt.Statement
}

// head is the data that each page has at its top.
type head struct {
	words                 *words.Words
	Language              string
	List, Title, Subtitle string
	Confidential          bool
	Made                  time.Time
	Program               string
	Last                  publish.Operation // last operation of the ledger
}

//go:embed *.tmpl *.css
var files embed.FS

// write executes the page template with this name, with all functions of h and with the given data.
func (h head) write(w io.Writer, name string, data any) error {
	style, err := files.ReadFile("style.css")
	if err != nil {
		return err
	}
	t := template.New(name).Funcs(functions(h.words)).Funcs(template.FuncMap{
		"style": func() template.CSS { return template.CSS(style) }, //nolint:gosec // our own file
	})
	if t, err = t.ParseFS(files, "*.tmpl"); err != nil {
		return err
	}
	return t.ExecuteTemplate(w, name, data)
}

// functions returns the functions for all templates. They show times in UTC.
func functions(w *words.Words) template.FuncMap {
	return template.FuncMap{
		"t": w.Text, "count": w.Count, "num": w.Number, "took": w.Took, "show": show, "join": joined, "reason": w.Reason, "reference": w.Reference,
		"whole":  func(n int) uint64 { return uint64(max(n, 0)) },
		"waited": func(waits proposal.Waits) string { return WaitedText(waits, w) },
		"day":    func(at time.Time) string { return w.Day(at.UTC()) },
		"minute": func(at time.Time) string { return w.Minute(at.UTC()) },
		"when": func(at time.Time) string {
			if at.IsZero() {
				return "-"
			}
			return w.Second(at.UTC())
		},
	}
}

// show makes outside text safe to print. It changes http to hxxp, so that no program makes a link of a URL. It escapes
// invisible characters and those that change the writing direction.
func show(text string) string {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "https://", "hxxps://"), "http://", "hxxp://")
	hidden := func(r rune) bool { return r != ' ' && (!unicode.IsPrint(r) || r == unicode.ReplacementChar) }
	if !strings.ContainsFunc(text, hidden) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if hidden(r) {
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func joined(texts []string) string { return show(strings.Join(texts, ", ")) }

// WaitedText returns in words how long proposals have waited. It is empty if no proposal was decided on.
func WaitedText(waits proposal.Waits, w *words.Words) string {
	if waits.Decided == 0 {
		return ""
	}
	text := func(seconds int64) string { return w.Took(time.Duration(seconds) * time.Second) }
	return w.Text("waited", text(waits.Median), text(waits.Ninety), text(waits.Longest))
}
