package desk_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
	"github.com/argine-dns/argine/cmd/blocklist/desk"
	"github.com/argine-dns/argine/testdata/longtest"
)

// meeting is where two people wait for each other.
type meeting chan struct{}

func (m meeting) wait(t *testing.T) {
	t.Helper()
	select {
	case m <- struct{}{}:
	case <-m:
	case <-time.After(time.Minute):
		t.Error("the other person does not come")
	}
}

// change tries a change, and then confirms it, as often as others have changed the list meanwhile. It returns how often
// that was.
func (b *browser) change(t *testing.T, path string, f url.Values, tried func()) (moved int) {
	t.Helper()
	p := b.post(t, path, f)
	tried()
	for range 100 {
		if strings.HasPrefix(p.path, "/operation/") {
			return moved
		}
		if p.status == http.StatusConflict {
			assert.Contains(t, p.text, "The list has changed meanwhile")
			assert.Equal(t, f.Get("entries"), p.values["entries"], "what was typed is still there")
			moved++
		}
		f.Set("head", p.values["head"])
		p = b.post(t, path, f)
	}
	t.Error("the change was never made")
	return moved
}

// Two people work at the same time: they list and withdraw, propose, and decide on the same proposals. Each change that
// was answered counts once, and is its author's; a form that is out of date changes nothing.
func TestTwoPeople(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	people := []string{"carla", "dora"}
	for _, name := range people {
		require.NoError(t, a.SetRole(t.Context(), name, publish.RoleReviewer, audit))
	}
	a.openBehindProxy(t, func(o *desk.Options) {
		o.Prepare = func(l *publish.Ledger) { l.SetWait(time.Minute, nil) }
	})
	rounds, met := longtest.Rounds(5, 30), make(meeting)
	verbs := map[string]string{"carla": "check", "dora": "refer"} // either may follow the other, once it was seen
	var mu sync.Mutex
	moved, decided := 0, map[string][]string{}
	var both sync.WaitGroup
	for _, name := range people {
		b := a.as(t, name)
		both.Go(func() {
			for i := range rounds {
				times := b.change(t, "/add", fields("entries", fmt.Sprintf("%s%d.example\nboth%d.example", name, i, i), "reference", name), func() { met.wait(t) })
				if i%2 == 1 {
					times += b.change(t, "/withdraw", fields("entries", fmt.Sprintf("%s%d.example", name, i-1)), func() {})
				}
				target := fmt.Sprintf("proposed%d.example", i)
				assert.Equal(t, http.StatusOK, b.propose(t, fields("entries", target, "source", "hotline")).status)
				done := b.decide(t, target, verbs[name], met)
				mu.Lock()
				if moved += times; done {
					decided[target] = append(decided[target], name)
				}
				mu.Unlock()
			}
		})
	}
	both.Wait()
	assert.GreaterOrEqual(t, moved, rounds, "of two forms that were tried on the same list, one is out of date")
	assert.Equal(t, int64(1+2+2*rounds+2*(rounds/2)), a.head(t).ID, "each change is one operation")
	for i := range rounds {
		orders, err := a.Orders(t.Context(), fmt.Sprintf("both%d.example", i))
		require.NoError(t, err)
		var references []string
		for _, o := range orders {
			references = append(references, o.Reference)
		}
		assert.ElementsMatch(t, people, references)
		for _, name := range people {
			_, listed, err := a.Lookup(t.Context(), fmt.Sprintf("%s%d.example", name, i))
			require.NoError(t, err)
			assert.Equal(t, i%2 == 1 || i == rounds-1, listed)
		}
		target := fmt.Sprintf("proposed%d.example", i)
		assert.Len(t, decided[target], 1, "one of the two has decided")
		found, err := proposal.List(t.Context(), a.Ledger, proposal.Filter{Target: target, Limit: 3})
		require.NoError(t, err)
		require.Len(t, found, 1)
		checked := slices.Equal(decided[target], []string{"carla"})
		assert.Equal(t, map[bool]string{true: proposal.Checked, false: proposal.Referred}[checked], found[0].State)
		assert.Equal(t, map[bool]string{true: "carla"}[checked], found[0].Checker)
	}
	for o, err := range a.Operations(t.Context()) {
		require.NoError(t, err)
		assert.True(t, o.Kind != publish.KindAdd || slices.Contains(people, o.Author) && strings.HasPrefix(o.Reference, o.Author), "%+v", o)
	}
	_, err := a.Verify(t.Context(), nil)
	require.NoError(t, err)
}

// decide decides on a proposal that both have seen, and reports whether this person was the first.
func (b *browser) decide(t *testing.T, target, verb string, met meeting) bool {
	t.Helper()
	list := b.get(t, "/proposals?state=all&target="+target)
	at := ""
	for path := range list.links {
		if strings.HasPrefix(path, "/proposal/") {
			at = path
		}
	}
	seen := b.get(t, at).values["seen"]
	met.wait(t) // the other one has the page, too
	p := b.post(t, "/proposals/decide", fields("seen", seen, "verb", verb))
	assert.Contains(t, []int{http.StatusOK, http.StatusConflict}, p.status)
	return p.status == http.StatusOK
}
