package report_test

import (
	"context"
	"crypto"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger/ledgertest"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/keys"
	"github.com/argine-dns/argine/blocklist/publish/report"
	"github.com/argine-dns/argine/blocklist/receipt"
)

// agency is a ledger with one officer.
type agency struct {
	*publish.Ledger
	dir  string
	anna crypto.Signer
}

func newAgency(t *testing.T, confidential bool) *agency {
	t.Helper()
	home := t.TempDir()
	path := filepath.Join(home, "anna.key")
	public, err := keys.Generate(path, filepath.Join(home, "anna.pub"), "anna", "")
	require.NoError(t, err)
	online, err := keys.Generate(filepath.Join(home, "online.key"), filepath.Join(home, "online.pub"), "origin", "")
	require.NoError(t, err)
	a := &agency{dir: filepath.Join(home, "agency")}
	require.NoError(t, publish.Init(t.Context(), a.dir, publish.InitOptions{
		List: "it.example/test", OriginKey: online, Officers: []string{public}, Threshold: 1, Author: "anna", Confidential: confidential,
	}))
	a.anna, err = keys.Load(path, nil)
	require.NoError(t, err)
	a.open(t)
	a.sign(t)
	return a
}

func (a *agency) open(t *testing.T) {
	t.Helper()
	var err error
	a.Ledger, err = publish.Open(a.dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.Close()) })
}

func (a *agency) sign(t *testing.T) {
	t.Helper()
	p, err := a.Pending()
	require.NoError(t, err)
	_, err = a.Sign(t.Context(), p, a.anna)
	require.NoError(t, err)
}

func (a *agency) add(t *testing.T, by publish.Audit, lines ...string) {
	t.Helper()
	by.Override = "the guards know no test"
	_, err := a.Add(t.Context(), parsed(t, lines), by)
	require.NoError(t, err)
}

func (a *agency) remove(t *testing.T, by publish.Audit, lines ...string) {
	t.Helper()
	_, err := a.Remove(t.Context(), parsed(t, lines), by)
	require.NoError(t, err)
}

func parsed(t *testing.T, lines []string) (all []blocklist.Entry) {
	t.Helper()
	for _, line := range lines {
		e, err := blocklist.ParseEntry(line)
		require.NoError(t, err)
		all = append(all, e)
	}
	return all
}

// release makes, signs and pushes a release.
func (a *agency) release(t *testing.T) {
	t.Helper()
	_, err := a.Override(t.Context(), publish.Audit{Author: "anna", Reason: "the guards know no test"})
	require.NoError(t, err)
	_, _, err = a.Release(t.Context(), "anna")
	require.NoError(t, err)
	a.sign(t)
	_, err = a.Push(t.Context(), func(_ context.Context, _ string, b io.Reader) error {
		_, err := io.Copy(io.Discard, b)
		return err
	}, publish.Audit{Author: "anna", Reason: "https://origin.example"})
	require.NoError(t, err)
}

// busy makes an agency whose operations lie on several days of this month.
func busy(t *testing.T, confidential bool) *agency {
	t.Helper()
	a := newAgency(t, confidential)
	order := func(author, ref, reason string) publish.Audit {
		return publish.Audit{Author: author, Reference: ref, Reason: reason}
	}
	var annex []string
	for i := range 340 {
		annex = append(annex, fmt.Sprintf("casino%d.example category=gambling ref=\"order 2026/18\"", i))
	}
	a.add(t, order("carla", "order 2026/17", "court order of the tribunal"), `example.org category=csam ref="order 2026/17"`)
	a.add(t, order("dora", "order 2026/18", "annex A of the regulator's decision"), annex...)
	a.release(t)
	a.add(t, order("carla", "order 2026/21", "as ordered"), `https://social.example/user/7 category=terrorism ref="order 2026/21"`, "=www.example.org", "192.0.2.0/24 category=phishing")
	a.remove(t, order("dora", "revocation 2026/44", "licence granted"), "casino3.example", "casino4.example", "casino5.example")
	a.release(t)
	a.add(t, order("carla", "order 2026/30", "a second order on the same name"), `example.org category=csam ref="order 2026/30" expires=2030-05-01`)
	a.add(t, order("carla", "order 2026/31", "phishing of a bank"), "bank-login.example category=phishing", "bank-secure.example category=phishing")
	a.remove(t, order("dora", "revocation 2026/51", "site cleaned"), "=www.example.org")
	a.add(t, order("carla", "order 2026/32", "in no release"), "brief.example category=phishing")
	a.remove(t, order("dora", "revocation 2026/52", "by mistake"), "brief.example")
	a.release(t)
	a.remove(t, order("carla", "revocation 2026/60", "the court has lifted both orders"), "example.org")
	first := time.Now().UTC()
	first = time.Date(first.Year(), first.Month(), 1, 9, 30, 0, 0, time.UTC)
	span := max(time.Now().UTC().Day()-2, 1)
	ledgertest.Tamper(t, a.dir, `UPDATE operations SET time = strftime('%Y-%m-%dT%H:%M:%SZ', ? + (id * 86400 * ? / (SELECT max(id) FROM operations)), 'unixepoch')`, first.Unix(), span)
	return a
}

// publishedLater lets the officers take an hour for their signatures: each release is published that long after it was
// made.
func publishedLater(t *testing.T, a *agency) {
	t.Helper()
	ledgertest.Tamper(t, a.dir, `UPDATE releases SET pushed = strftime('%Y-%m-%dT%H:%M:%SZ', pushed, '+1 hour')`)
}

func receipts(t *testing.T, a *agency) *report.Receipts {
	t.Helper()
	r := &report.Receipts{From: "ORIGIN", Subscribers: []string{"isp-one.example", "isp-two.example", "late.example", "never.example", "differs.example", "behind.example"}}
	for rel, err := range a.Releases(t.Context(), 0) {
		require.NoError(t, err)
		say := func(holder string, after time.Duration, digest string) {
			r.Statements = append(r.Statements, receipt.Statement{Holder: holder, Receipt: receipt.Receipt{Serial: rel.Serial, Digest: digest, Enforced: rel.Pushed.Add(after)}})
		}
		say("isp-one.example", time.Duration(2*rel.Serial)*time.Second, rel.SignedDigest)
		say("isp-two.example", time.Duration(rel.Serial)*7*time.Minute, rel.SignedDigest)
		if rel.Serial != 2 { // which the third one covers
			say("late.example", 9*time.Hour, rel.SignedDigest)
		}
		say("behind.example", map[bool]time.Duration{true: -time.Hour, false: 5 * time.Second}[rel.Serial < 3], rel.SignedDigest)
		say("differs.example", time.Minute, strings.Repeat("ab", 32))
	}
	return r
}

// page is what a reader sees of a page, with a bar before each cell of a table.
type page struct{ text string }

// row reports whether a row of a table has these cells, one after another.
func (p page) row(cells ...string) bool {
	return strings.Contains(p.text, "|"+strings.Join(cells, "|"))
}

// read parses a page. It fails if the page has anything that runs, leads elsewhere or is loaded.
func read(t *testing.T, write func(io.Writer) error) page {
	t.Helper()
	var b strings.Builder
	require.NoError(t, write(&b))
	root, err := html.Parse(strings.NewReader(b.String()))
	require.NoError(t, err)
	var text strings.Builder
	for n := range root.Descendants() {
		if n.Type == html.ElementNode {
			assert.NotContains(t, []string{"a", "script", "link", "img", "iframe", "object", "form", "base"}, n.Data)
			if n.Data == "td" {
				text.WriteString("|")
			}
		}
		for _, attribute := range n.Attr {
			assert.NotContains(t, []string{"href", "src", "action", "style", "xlink:href"}, attribute.Key)
			assert.False(t, strings.HasPrefix(attribute.Key, "on"), attribute.Key)
		}
		if n.Type == html.TextNode && n.Parent.Data != "style" {
			text.WriteString(n.Data)
		}
	}
	seen := regexp.MustCompile(`\s*(\||\n)\s*`).ReplaceAllString(text.String(), "$1")
	assert.NotContains(t, seen, "https://")
	assert.NotContains(t, seen, "http://")
	assert.False(t, strings.ContainsFunc(seen, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }), "%q", seen)
	return page{strings.ReplaceAll(seen, "\n", "")}
}

func TestMonth(t *testing.T) {
	t.Parallel()
	a := busy(t, false)
	publishedLater(t, a)
	o := report.Options{Program: "blocklist test", Deadline: 6 * time.Hour, Receipts: receipts(t, a)}
	now := time.Now()
	p := read(t, func(w io.Writer) error { return report.Month(t.Context(), w, a.Ledger, now, o) })
	assert.Contains(t, p.text, now.UTC().Format("January 2006"))
	assert.True(t, p.row("gambling", "340", "3", "0"), p.text)
	assert.True(t, p.row("csam", "1", "1", "0"), "the second order on a name lists nothing")
	assert.True(t, p.row("no category", "1", "1", "0"))
	assert.Contains(t, p.text, "|+341 −0|anna 1 needed, by root 1|")
	assert.Contains(t, p.text, "|+2 −1|anna 1 needed, by root 1|", "not what came and went between two releases")
	assert.Contains(t, p.text, "safety check overridden: the guards know no test")
	assert.True(t, p.row("isp-one.example", "3 of 3", "3", "4 s", "6 s (release 3)", "none"))
	assert.True(t, p.row("isp-two.example", "3 of 3", "3", "14 min", "21 min (release 3)", "none"))
	assert.True(t, p.row("late.example", "3 of 3", "0", "9 h", "9 h (release "), p.text)
	assert.True(t, p.row("never.example", "0 of 3", "0", "-", "-", "none"))
	assert.Contains(t, p.text, "|differs.example|0 of 3|0|-|-|none another content than was signed: release 1, 2, 3")
	assert.True(t, p.row("behind.example", "3 of 3", "1", "5 s", "5 s (release 3)", "none confirmed, after what time is not known: release 1, 2"), p.text)
	assert.Contains(t, p.text, "annex A of the regulator's decision; safety check overridden: the guards know no test [order 2026/18]+casino0.example+casino1.example+casino2.example and 337 more")
	assert.NotContains(t, p.text, "Confidential")

	before := read(t, func(w io.Writer) error {
		return report.Month(t.Context(), w, a.Ledger, now.AddDate(0, -2, 0), report.Options{})
	})
	for _, none := range []string{"No entry was listed", "No proposal was received", "No release was made", "No receipts were given", "There was no operation"} {
		assert.Contains(t, before.text, none)
	}
}

func TestEntry(t *testing.T) {
	t.Parallel()
	a := busy(t, true)
	p := read(t, func(w io.Writer) error {
		return report.Entry(t.Context(), w, a.Ledger, "http://WWW.example.org:80/x", report.Options{Deadline: time.Hour, Receipts: receipts(t, a)})
	})
	assert.Contains(t, p.text, "hxxps://www.example.org/x: never listed itself")
	assert.Contains(t, p.text, "=www.example.org: no longer in force since ")
	assert.Contains(t, p.text, "site cleaned [revocation 2026/51]−=www.example.org|release 3 of ")
	assert.Contains(t, p.text, `order given: example.org category=csam ref="order 2026/30" expires=2030-05-01`)
	assert.Contains(t, p.text, "signed by anna, published ")
	assert.Contains(t, p.text, "in no release yet")
	assert.Contains(t, p.text, "Confidential list.")
	assert.True(t, p.row("isp-one.example", "3 of 3", "3", "4 s", "6 s (release 3)", "none"), "the digests of a confidential list are keyed: %s", p.text)
	never := read(t, func(w io.Writer) error {
		return report.Entry(t.Context(), w, a.Ledger, "never.example", report.Options{})
	})
	assert.Contains(t, never.text, "never.example: never listed itself")
	err := report.Entry(t.Context(), io.Discard, a.Ledger, "no name", report.Options{})
	assert.ErrorIs(t, err, blocklist.ErrMalformed)
}

// A ledger that somebody has altered puts nothing into a page but text, with what can't be seen as escapes.
func TestHostileRows(t *testing.T) {
	t.Parallel()
	a := busy(t, false)
	hostile := `</td><script>alert(1)</script><a href="https://evil.example">x</a>` + "\u202e\u200b\u00a0" + strings.Repeat("long", 900)
	ledgertest.Tamper(t, a.dir, `UPDATE operations SET author = ?, reason = ?, reference = ? WHERE kind IN ('add', 'remove')`, hostile, hostile, hostile)
	ledgertest.Tamper(t, a.dir, `UPDATE changes SET attributes = attributes || ' category=' || ? WHERE id < 5`, hostile+"\x1b[2J\n")
	month := read(t, func(w io.Writer) error { return report.Month(t.Context(), w, a.Ledger, time.Now(), report.Options{}) })
	assert.Contains(t, month.text, `</td><script>alert(1)</script><a href="hxxps://evil.example">x</a>\u202e\u200b\u00a0long`)
	entry := read(t, func(w io.Writer) error {
		return report.Entry(t.Context(), w, a.Ledger, "example.org", report.Options{})
	})
	assert.Contains(t, entry.text, `\x1b[2J\n`)
}
