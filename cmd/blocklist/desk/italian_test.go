package desk_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
	"github.com/argine-dns/argine/blocklist/publish/takedown"
	"github.com/argine-dns/argine/cmd/blocklist/desk"
	"github.com/argine-dns/argine/testdata/longtest"
)

// All pages about all kinds of operations are in Italian, but for technical details, which are marked as English.
func TestAllIsInItalian(t *testing.T) {
	longtest.Only(t, "it reads some hundred pages")
	t.Parallel()
	a := newAgencyOf(t, 1, "anna")
	a.all(t)
	recovered := a.recovered(t)
	a.confide(t)
	kinds := map[string]bool{}
	for _, one := range []*agency{a, recovered} {
		for o, err := range one.Operations(t.Context()) {
			require.NoError(t, err)
			kinds[o.Kind] = true
		}
		one.open(t, func(o *desk.Options) {
			o.Push = func(context.Context, string, io.Reader) error { return errors.New("a test") }
			o.PushTo, o.Notes = "https://origin.example", func(string, blocklist.Entry) []publish.Message {
				return []publish.Message{{Phrase: publish.Phrase{Key: "note.ports", Text: "for every port"}}}
			}
		})
		b := one.enter(t)
		b.post(t, "/preferences", fields("back", "/", "language", "it"))
		english := englishWords(t)
		pages := b.walk(t)
		assert.Greater(t, len(pages), 50)
		for path, p := range pages {
			assert.Empty(t, englishIn(t, p, english), path)
		}
	}
	assert.ElementsMatch(t, publish.Kinds(), slices.Collect(maps.Keys(kinds)))
}

// walk returns the pages to which links lead, and those of some forms.
func (b *browser) walk(t *testing.T) map[string]page {
	t.Helper()
	shape := regexp.MustCompile(`\d+|=[^&]*`)
	seen, found := map[string]bool{}, map[string]page{
		"a rule":       b.post(t, "/add", fields("entries", "porta.example", "category", "gamblng", "reference", "ordine 4", "reason", "come deciso")),
		"two persons":  b.post(t, "/add", fields("entries", "porta.example", "category", "fraud", "reference", "ordine 4", "reason", "come deciso")),
		"a preview":    b.post(t, "/add", fields("entries", "https://porta.example/x", "category", "gambling", "reference", "ordine 4", "reason", "come deciso")),
		"a suffix":     b.post(t, "/add", fields("entries", "co.uk", "category", "gambling", "reference", "ordine 4", "reason", "come deciso")),
		"what is over": b.post(t, "/add", fields("entries", "porta.example", "expires", "2020-01-01", "reason", "come deciso")),
		"no form":      b.post(t, "/preferences", url.Values{"zone": {strings.Repeat("x", 1<<20)}}),
		"a text":       b.post(t, "/propose", fields("entries", "Guarda hxxp://porta[.]example/x e htps:/porta.example", "source", "linea", "category", "gambling")),
	}
	assert.Equal(t, http.StatusRequestEntityTooLarge, found["no form"].status)
	for next := []string{"/", "/nulla", "/search?q=porta.example"}; len(next) > 0; next = next[1:] {
		path := next[0]
		if kind := shape.ReplaceAllString(path, "0"); seen[path] || strings.Count(path, "=") > 1 && seen[kind] {
			continue
		} else {
			seen[path], seen[kind] = true, true
		}
		if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "/assets") || strings.Contains(path, ".csv") || path == "/root.json" {
			continue
		}
		found[path] = b.getAny(t, path)
		next = append(next, slices.Sorted(maps.Keys(found[path].links))...)
	}
	return found
}

// all has an operation of each kind recorded, but for a recovery.
func (a *agency) all(t *testing.T) {
	t.Helper()
	ctx, by := t.Context(), publish.Audit{Author: "rita", Reason: "come deciso", Reference: "ordine 7", Override: "è una prova"}
	check := func(err error) { t.Helper(); require.NoError(t, err) }
	stream := func(line string) func(func(blocklist.Entry, error) bool) {
		return func(yield func(blocklist.Entry, error) bool) { yield(blocklist.ParseEntry(line)) }
	}
	check(a.SetRules(ctx, publish.Rules{NeedReason: true, Reference: `ordine \d+`, Categories: []string{"fraud", "gambling"}, TwoPersons: []string{"fraud"}}, by))
	check(a.SetGuard(ctx, publish.GuardSettings{MaxGrowth: 0.9, Protected: "# prova\n"}, by))
	for _, role := range []string{publish.RoleClerk, publish.RoleReviewer, ""} {
		check(a.SetRole(ctx, "dora", role, by))
	}
	_, err := a.Import(ctx, stream("porta.example category=gambling expires=2020-01-01"), publish.Audit{Author: "rita", Reason: publish.CauseImport.With("voci.csv").String()}, nil)
	check(err)
	for _, line := range []string{"co.uk category=gambling", "https://porta.example/x category=gambling review=2020-01-01", "altra.example category=gambling"} {
		e, err := blocklist.ParseEntry(line)
		check(err)
		_, err = a.Add(ctx, []blocklist.Entry{e}, by)
		check(err)
	}
	page, err := blocklist.ParseEntry("https://porta.example/x")
	check(err)
	_, err = takedown.Record(ctx, a.Ledger, func(yield func(takedown.Check, error) bool) {
		yield(takedown.Check{Page: page, Checked: time.Now()}, nil)
	}, publish.Audit{Author: "rita", Reason: publish.CauseChecks.With("pagine.csv").String()})
	check(err)
	_, err = a.Undo(ctx, a.head(t).ID-1, by)
	check(err)
	_, err = a.Remove(ctx, []blocklist.Entry{page}, by)
	check(err)
	a.proposed(t)
	_, err = a.Override(ctx, publish.Audit{Author: "rita", Reason: "è una prova"})
	check(err)
	_, _, err = a.Release(ctx, "rita")
	check(err)
	a.sign(t)
	p, err := a.Pending()
	check(err)
	check(a.Refuse(ctx, p, a.officers[0], by)) // a signed one is refused: its serial is skipped
	_, err = a.Override(ctx, publish.Audit{Author: "rita", Reason: "è una prova"})
	check(err)
	p, _, err = a.Release(ctx, "rita")
	check(err)
	check(a.Discard(ctx, p, publish.Audit{Author: "rita", Reason: "manca una voce"}))
	_, err = a.Override(ctx, publish.Audit{Author: "rita", Reason: "è una prova"})
	check(err)
	_, _, err = a.Release(ctx, "rita")
	check(err)
	a.sign(t)
	drop := func(_ context.Context, _ string, b io.Reader) error {
		_, err := io.Copy(io.Discard, b)
		return err
	}
	_, err = a.Push(ctx, drop, publish.Audit{Author: "rita", Reason: "https://origin.example"})
	check(err)
	night, err := blocklist.ParseEntry("notte.example category=gambling")
	check(err)
	_, err = a.SignUrgent(ctx, publish.UrgentChange{Add: []blocklist.Entry{night}}, a.officers[0], by)
	check(err)
	_, err = a.PushUrgent(ctx, drop, publish.Audit{Author: "rita", Reason: "https://origin.example"})
	check(err)
	check(a.EndUrgent(ctx, []string{"notte.example"}, publish.Audit{Author: "rita", Reason: "come deciso"}))
}

// confide makes the list confidential, with a subscriber, and has another root wait for its signatures.
func (a *agency) confide(t *testing.T) {
	t.Helper()
	ctx, by := t.Context(), publish.Audit{Author: "rita", Reason: "come deciso"}
	check := func(err error) { t.Helper(); require.NoError(t, err) }
	_, err := a.NewRoot(ctx, publish.RootChange{Urgent: &publish.UrgentLimits{Entries: 2, Hours: 3}, Confidential: true}, by)
	check(err)
	a.sign(t)
	identity, err := age.GenerateX25519Identity()
	check(err)
	for _, name := range []string{"nord.example", "sud.example"} {
		check(a.AddSubscriber(ctx, name, identity.Recipient().String(), by))
		if identity, err = age.GenerateX25519Identity(); err != nil {
			check(err)
		}
	}
	check(a.RemoveSubscriber(ctx, "sud.example", by))
	_, err = a.NewRoot(ctx, publish.RootChange{Urgent: &publish.UrgentLimits{}}, by)
	check(err)
}

// proposed records proposals, one of which breaks a rule, and confirms one.
func (a *agency) proposed(t *testing.T) {
	t.Helper()
	by := publish.Audit{Author: "rita", Reason: publish.CauseReport.Text}
	_, err := proposal.Propose(t.Context(), a.Ledger, []proposal.Proposal{
		{Target: "truffa.example", Source: "linea", Category: "fraud", Reference: "ordine 9"},
		{Target: "poker.example", Source: "linea", Reference: "caso 3"},
	}, by, nil)
	require.NoError(t, err)
	a.decide(t, proposal.Check, "carla")
	a.decide(t, proposal.Confirm, "rita")
	all := []proposal.Proposal{{Target: "negozio.example", Source: "linea"}, {Target: "https://sociale.example/x", Source: "linea"}, {Target: "terza.example", Source: "linea"}}
	made, err := proposal.Propose(t.Context(), a.Ledger, all, by, nil)
	require.NoError(t, err)
	for i, verb := range []proposal.Verb{proposal.Refuse, proposal.Refer, proposal.Withdraw} {
		_, err := proposal.Decide(t.Context(), a.Ledger, proposal.Decision{Verb: verb, IDs: []int64{made[i].ID}}, publish.Audit{Author: "rita", Reason: "come deciso"})
		require.NoError(t, err)
	}
}

// recovered returns an agency that was recovered from the release that was pushed last.
func (a *agency) recovered(t *testing.T) *agency {
	t.Helper()
	var bundle bytes.Buffer
	keep := func(_ context.Context, _ string, b io.Reader) error {
		bundle.Reset()
		_, err := io.Copy(&bundle, b)
		return err
	}
	_, err := a.Bundle(t.Context(), keep, publish.Audit{Author: "rita", Reason: "lista.tar"})
	require.NoError(t, err)
	root, err := os.ReadFile(filepath.Join(a.dir, "root.json"))
	require.NoError(t, err)
	again := &agency{dir: t.TempDir(), officers: a.officers}
	_, err = publish.Recover(t.Context(), again.dir, &bundle, publish.RecoverOptions{Root: root, Audit: publish.Audit{Author: "rita", Reason: "il disco era perso"}})
	require.NoError(t, err)
	again.Ledger, err = publish.Open(again.dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, again.Close()) })
	return again
}

var letters = regexp.MustCompile(`\pL+`)

// englishWords returns the words of the English texts that no Italian text has.
func englishWords(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile("../../../blocklist/publish/words/words.json")
	require.NoError(t, err)
	var all map[string][]string
	require.NoError(t, json.Unmarshal(text, &all))
	english := map[string]bool{"adopted": true, "serial": true, "threshold": true, "officer": true, "findings": true, "comes": true, "goes": true}
	for i := range 2 {
		for _, texts := range all {
			for _, word := range letters.FindAllString(strings.ToLower(texts[i]), -1) {
				english[word] = i == 0
			}
		}
	}
	english["origin"] = false // the name of a key
	return english
}

// nameLike are parts of a text that are in no language.
var nameLike = regexp.MustCompile(`(hxxps?|htps|https?):\S+|\S+\[?\.\]?(example|test|json|csv|tar|uk|sig|key)\b\S*|/\S+|\b([0-9a-f]{4} ){3,}[0-9a-f]{4}\b`)

// englishIn returns the English words of a page.
func englishIn(t *testing.T, p page, english map[string]bool) (found []string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(p.raw))
	require.NoError(t, err)
	look := func(text string) {
		for _, word := range letters.FindAllString(nameLike.ReplaceAllString(text, ""), -1) {
			if english[strings.ToLower(word)] {
				found = append(found, word+" in "+strings.TrimSpace(text))
			}
		}
	}
	for n := range root.Descendants() {
		if marked := attribute(n, "lang") == "en"; marked && n.Data != "button" && !inside(n, "details") {
			found = append(found, "marked as English: "+n.Data)
		}
		if isForeign(n) {
			continue
		}
		if n.Type == html.TextNode {
			look(n.Data)
		}
		for _, name := range []string{"aria-label", "placeholder", "data-label", "title"} {
			look(attribute(n, name))
		}
	}
	return found
}

// isForeign reports whether an element has names, commands, or texts that are marked as English.
func isForeign(n *html.Node) bool {
	for ; n != nil; n = n.Parent {
		if attribute(n, "lang") == "en" || slices.Contains([]string{"pre", "style", "script", "datalist", "textarea"}, n.Data) || strings.Contains(attribute(n, "class"), "mono") {
			return true
		}
	}
	return false
}

func inside(n *html.Node, element string) bool {
	for ; n != nil; n = n.Parent {
		if n.Data == element {
			return true
		}
	}
	return false
}
