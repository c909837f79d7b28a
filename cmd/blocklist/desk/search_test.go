package desk_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
)

// found returns the part of the page of a search that has the results of one kind; empty: there are none.
func (b *browser) found(t *testing.T, typed, kind string) string {
	t.Helper()
	_, part, _ := strings.Cut(b.get(t, "/search?q="+url.QueryEscape(typed)).text, kind)
	for _, next := range []string{"Entries below it", "Entries that begin so", "Other entries with", "Withdrawn entries", "Proposals", "Operations and decisions with", "Last operation "} {
		part, _, _ = strings.Cut(part, next)
	}
	return part
}

// A search finds any part of the targets of entries, listed or withdrawn, of the references of their orders, of the reasons
// and references of operations, and of what was said about proposals.
func TestSearchFindsParts(t *testing.T) {
	t.Parallel()
	a, carla, _ := office(t)
	_, err := a.Import(t.Context(), func(yield func(blocklist.Entry, error) bool) {
		for i := range 40 {
			line := fmt.Sprintf(`https://videos.social.example/Watch/%d ref="Tribunale di Roma %d/2026"`, i, i/20)
			if !yield(blocklist.ParseEntry(line)) {
				return
			}
		}
	}, publish.Audit{Author: "anna", Reason: "Delivered by the police of Ostia", Reference: "case 99"}, nil)
	require.NoError(t, err)
	const entries, operations = "Other entries with this in their target or reference", "Operations and decisions with this reason, reference or author"
	for typed, target := range map[string]string{
		"watch/17": "/Watch/17|", "social.example/Watch/3": "/Watch/39|", "ocial.exam": "/Watch/39|", "roma 1/2026": "/Watch/39|", "Roma 0": "/Watch/0|",
	} {
		assert.Contains(t, carla.found(t, typed, entries), target, typed)
	}
	assert.NotContains(t, carla.found(t, "roma 1/2026", entries), "/Watch/19|", "it has another reference")
	for _, typed := range []string{"OSTIA", "se 99", "anna"} {
		assert.Contains(t, carla.found(t, typed, operations), "Delivered by the police of Ostia", typed)
	}
	page, err := blocklist.ParseEntry("https://videos.social.example/Watch/17")
	require.NoError(t, err)
	_, err = a.Remove(t.Context(), []blocklist.Entry{page}, audit)
	require.NoError(t, err)
	assert.Contains(t, carla.found(t, "watch/17", entries), "withdrawn before it came into force")
	a.list(t, `videos.example ref="Tribunale di Roma 7/2026"`)
	assert.Contains(t, carla.found(t, "roma 7", entries), "|videos.example|", "it is new")

	carla.propose(t, fields("entries", "worse.example", "source", "hotline", "reference", "case 512/b", "note", "A shop of counterfeits"))
	carla.post(t, "/proposals/decide", fields("seen", carla.get(t, "/proposal/1").values["seen"], "verb", "refuse", "reason", "An ordinary pharmacy"))
	for _, typed := range []string{"orse.ex", "512/b", "counterfeit", "pharmacy"} {
		assert.Contains(t, carla.get(t, "/search?q="+url.QueryEscape(typed)).text, "|worse.example|refused|hotline|", typed)
	}
	assert.NotContains(t, carla.get(t, "/search?q=pharmaceutical").text, "worse.example")
}

// References are found as they are written, in any case of letters, also where they look like an address or a URL.
func TestSearchFindsReferences(t *testing.T) {
	t.Parallel()
	a, carla, _ := office(t)
	for i, reference := range []string{"case 44/26", "Trib. Roma 77/26", "7/26", "mail 30/11", "https://court.example/7/"} {
		name := string(rune('a'+i)) + "-shop10.example"
		a.list(t, fmt.Sprintf("%s ref=%q", name, reference))
		carla.propose(t, fields("entries", "new-"+name, "source", "hotline", "reference", reference, "note", "Fake shop of a hospital"))
		for _, typed := range []string{reference, strings.ToLower(reference), strings.ToUpper(reference)} {
			assert.Contains(t, carla.found(t, typed, "Other entries with"), "|"+name+"|", typed)
			assert.Contains(t, carla.get(t, "/search?q="+url.QueryEscape(typed)).text, "|new-"+name+"|", typed)
		}
	}
	assert.Contains(t, carla.found(t, "10", "Other entries with"), "|a-shop10.example|", "a part of a name that is an address, too")
	assert.Contains(t, carla.get(t, "/search?q=fake+shop").text, "|new-a-shop10.example|")
	p := carla.get(t, "/search?q="+strings.Repeat("a", 3000))
	assert.Contains(t, p.text, "Nothing was searched")
	assert.NotContains(t, p.text, "Nothing was found", "it was not looked for")
	assert.Contains(t, carla.get(t, "/search?q=hotline").text, "sources, categories and dates are not searched")
}

// A search finds nothing by what no page shows: the hash that is recorded for the proposals of a release.
func TestSearchIgnoresHashes(t *testing.T) {
	t.Parallel()
	a, carla, _ := office(t)
	carla.propose(t, fields("entries", "shop.example", "source", "hotline"))
	a.list(t, "bad.example")
	a.release(t)
	var hash string
	for o, err := range a.Log(t.Context(), publish.LogFilter{Kinds: []string{publish.KindProposals}}) {
		require.NoError(t, err)
		hash = o.Reference
	}
	require.NotEmpty(t, hash)
	assert.Contains(t, carla.get(t, "/search?q="+hash[10:30]).text, "Nothing was found")
}

// An order that ends within a day is shown with the hour.
func TestEndHasItsHour(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	a.list(t, "short.example expires=2099-05-01T18:02:00Z", "long.example expires=2099-05-02")
	a.open(t)
	p := a.enter(t).get(t, "/entries")
	assert.Contains(t, p.text, "|2099-05-01 18:02 UTC|")
	assert.Contains(t, p.text, "|2099-05-02|")
}

// What is found by its target and by what was typed is shown once.
func TestSearchFindsOnce(t *testing.T) {
	t.Parallel()
	_, carla, _ := office(t)
	carla.propose(t, fields("entries", "https://shop.example/checkout", "source", "hotline"))
	for _, path := range []string{"/search?q=", "/proposals?target=", "/proposals.csv?target="} {
		p := carla.get(t, path+url.QueryEscape("https://shop.example/checkout"))
		assert.Equal(t, 1, strings.Count(strings.ReplaceAll(p.raw, `<option>hotline</option>`, ""), "hotline"), path)
	}
}
