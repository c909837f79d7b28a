// Package report writes printable pages from the ledger of package publish: what happened in a month, and the history
// of one entry. A page is one HTML file without scripts and links. It loads nothing from elsewhere.
package report

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
	"github.com/argine-dns/argine/blocklist/receipt"
)

// Options are the data of a page beside the ledger.
type Options struct {
	Program  string        // which program writes the page, and its version
	Deadline time.Duration // within which subscribers have to enforce a release
	Receipts *Receipts     // nil: none were given, and the page says so
}

// Receipts are the verified receipts of a list.
type Receipts struct {
	From        string // where they were read
	Subscribers []string
	Statements  []receipt.Statement
}

// head is the data at the top of each page.
type head struct {
	List, Title, Subtitle string
	Confidential          bool
	Made                  time.Time
	Program               string
	Last                  publish.Operation // of the ledger
}

//go:embed *.tmpl *.css
var files embed.FS

// write writes the page of a template.
func write(w io.Writer, name string, data any) error {
	style, err := files.ReadFile("style.css")
	if err != nil {
		return err
	}
	t := template.New(name).Funcs(template.FuncMap{
		"style":     func() template.CSS { return template.CSS(style) }, //nolint:gosec // our own file
		"thousands": thousands, "show": show, "when": when, "day": day, "took": took, "waited": WaitedText, "join": joined, "reference": publish.StatedReference,
	})
	if t, err = t.ParseFS(files, "*.tmpl"); err != nil {
		return err
	}
	return t.ExecuteTemplate(w, name, data)
}

// show makes outside text safe to print: no program turns a URL into a link, and invisible characters and characters
// that change the writing direction are escaped.
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

func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02") }

// took returns a duration in at most two units.
func took(d time.Duration) string {
	s := int(d.Round(time.Second).Seconds())
	for _, unit := range []struct {
		name, next string
		seconds    int
		part       int
	}{{"d", "h", 86400, 3600}, {"h", "min", 3600, 60}, {"min", "s", 60, 1}} {
		if s < unit.seconds {
			continue
		}
		text := fmt.Sprintf("%d %s", s/unit.seconds, unit.name)
		if rest := s % unit.seconds / unit.part; rest > 0 {
			text += fmt.Sprintf(" %d %s", rest, unit.next)
		}
		return text
	}
	return fmt.Sprintf("%d s", s)
}

// WaitedText returns how long proposals have waited, in words; empty if none was decided on.
func WaitedText(w proposal.Waits) string {
	if w.Decided == 0 {
		return ""
	}
	text := func(seconds int64) string { return took(time.Duration(seconds) * time.Second) }
	return fmt.Sprintf("median %s, 90 %% at most %s, longest %s", text(w.Median), text(w.Ninety), text(w.Longest))
}

// thousands returns a number with commas.
func thousands(n uint64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
