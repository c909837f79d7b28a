package report_test

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
	"github.com/argine-dns/argine/blocklist/publish/report"
	"github.com/argine-dns/argine/blocklist/publish/words"
)

// Templates have no text of their own, and the catalogue has each one that they name.
func TestTemplates(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("*.tmpl")
	require.NoError(t, err)
	require.Len(t, paths, 3)
	w, err := words.Read("it")
	require.NoError(t, err)
	key := regexp.MustCompile(`\b(?:t|count) "([^"]+)"`)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, m := range key.FindAllStringSubmatch(string(text), -1) {
			assert.NotEqual(t, m[1], w.Text(m[1]), path)
		}
		bare := regexp.MustCompile(`{{.*?}}`).ReplaceAllString(string(text), "")
		z := html.NewTokenizer(strings.NewReader(bare))
		for kind := z.Next(); kind != html.ErrorToken; kind = z.Next() {
			token := z.Token()
			if kind == html.TextToken {
				assert.NotRegexp(t, `\pL`, token.Data, path)
			}
			for _, a := range token.Attr {
				if a.Key == "aria-label" || a.Key == "data-label" || a.Key == "title" || a.Key == "alt" {
					assert.NotRegexp(t, `\pL`, a.Val, path)
				}
			}
		}
	}
}

// A page in Italian has no English text but what people have written, and names that are the same in both languages.
func TestItalian(t *testing.T) {
	t.Parallel()
	a := busy(t, true)
	by := publish.Audit{Author: "carla", Reason: "citizen"}
	_, err := proposal.Propose(t.Context(), a.Ledger, []proposal.Proposal{{Target: "bet.example", Source: "citizens"}}, by, nil)
	require.NoError(t, err)
	require.NoError(t, a.Ledger.SetRules(t.Context(), publish.Rules{TwoPersons: []string{"gambling"}}, by))
	o := report.Options{Program: "blocklist test", Deadline: 6 * time.Hour, Receipts: receipts(t, a)}
	for name, write := range map[string]func(io.Writer, report.Options) error{
		"month": func(w io.Writer, o report.Options) error {
			return report.Month(t.Context(), w, a.Ledger, time.Now(), o)
		},
		"empty": func(w io.Writer, o report.Options) error {
			return report.Month(t.Context(), w, a.Ledger, time.Now().AddDate(0, -2, 0), report.Options{Language: o.Language})
		},
		"entry": func(w io.Writer, o report.Options) error {
			return report.Entry(t.Context(), w, a.Ledger, "http://www.example.org/x", o)
		},
	} {
		o.Language = "it"
		italian := texts(t, func(w io.Writer) error { return write(w, o) })
		o.Language = ""
		for text := range texts(t, func(w io.Writer) error { return write(w, o) }) {
			if italian[text] {
				assert.Regexp(t, sameInBoth, text, name)
			}
		}
	}
	assert.ErrorIs(t, report.Month(t.Context(), io.Discard, a.Ledger, time.Now(), report.Options{Language: "tlh"}), blocklist.ErrMalformed)
}

// sameInBoth are texts that both languages have: what people have written, names, numbers and units.
var sameInBoth = regexp.MustCompile(`^\W*([\d., ]+( (s|min|h)\b[\d ]*)*|.*\.example\b.*|.*example\.org.*|` +
	`anna|carla|dora|citizen.*|csam|gambling|phishing|terrorism|192\.0\.2\.0/24|[0-9a-f]{64}|it\.example/test.*|` +
	`.*the guards know no test.*|.*(revocation|order) 2026/.*)\W*$`)

// texts returns the texts of a page: those between tags, and those of attributes that are read.
func texts(t *testing.T, write func(io.Writer) error) map[string]bool {
	t.Helper()
	var b strings.Builder
	require.NoError(t, write(&b))
	root, err := html.Parse(strings.NewReader(b.String()))
	require.NoError(t, err)
	all := map[string]bool{}
	add := func(text string) {
		if text = strings.TrimSpace(text); regexp.MustCompile(`\pL`).MatchString(text) {
			all[text] = true
		}
	}
	for n := range root.Descendants() {
		for _, a := range n.Attr {
			if a.Key == "aria-label" || a.Key == "data-label" {
				add(a.Val)
			}
		}
		if n.Type == html.TextNode && n.Parent.Data != "style" {
			add(n.Data)
		}
	}
	return all
}
