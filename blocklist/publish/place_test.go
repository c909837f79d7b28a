package publish_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/blocklist/publish"
)

// crowded makes entries of every kind, many of them below few names.
func crowded(t *testing.T, n int) (lines []blocklist.Entry) {
	t.Helper()
	for i := range n {
		at := fmt.Sprintf("%s.%s.example", []string{"a", "b", `c\.a`, "a.b"}[rand.IntN(4)], []string{"one", "two", `t\.wo`}[rand.IntN(3)])
		text := []string{"n%d.%s", "=n%d.%s", "https://%[2]s/%[1]d", "https://*.%[2]s/%[1]d", "n%d.%s status=monitor"}[rand.IntN(5)]
		if strings.Contains(text, "://") {
			at = strings.ReplaceAll(at, `\`, "") // in a URL it would end the host
		}
		lines = append(lines, entry(t, fmt.Sprintf(text, i, at)))
	}
	return lines
}

// The guards find the same whether they look below what was added or go through the whole list.
func TestGuardsBelow(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	require.NoError(t, a.SetGuard(t.Context(), publish.GuardSettings{MaxGrowth: 9}, cause))
	_, err := a.Add(t.Context(), crowded(t, 3000), cause)
	require.NoError(t, err)
	a.release(t)
	for _, parents := range [][]string{
		{"one.example"},
		{"a.one.example", "=a.one.example", "one.example", "=b.two.example"},
		{`c\.a.one.example`, `t\.wo.example`, "=two.example", "two.example", `=c\.a.two.example`},
		{"other.example", "192.0.2.7", "https://a.one.example/x"},
	} {
		_, err := a.Add(t.Context(), entries(t, parents...), override)
		require.NoError(t, err)
		got, err := a.Examine(t.Context())
		require.NoError(t, err)
		g, err := guard.New(guard.Limits{MaxGrowth: 9})
		require.NoError(t, err)
		want, err := g.Check(guard.Update{Before: 3000, After: 3000 + uint64(len(parents)), Changes: a.Unreleased(t.Context()), Entries: a.Entries(t.Context())})
		require.NoError(t, err)
		assert.Equal(t, counted(want), counted(got), parents)
		_, err = a.Remove(t.Context(), entries(t, parents...), cause)
		require.NoError(t, err)
	}
}

// counted returns the findings without the example that each gives: that depends on the order.
func counted(r *guard.Report) (all []string) {
	for _, f := range r.Findings {
		text, _, _ := strings.Cut(f.String(), ", such as")
		all = append(all, text)
	}
	return all
}

// What has expired goes when a release is made, whatever else its line says.
func TestExpiryIsFound(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	ago, ahead := time.Now().Add(-time.Hour).UTC(), time.Now().Add(time.Hour).UTC()
	expiring := func(name string, at time.Time) blocklist.Entry {
		e := entry(t, name+` ref="order expires=9999-01-01"`)
		e.Expires = at.Truncate(time.Second)
		return e
	}
	lines := []blocklist.Entry{expiring("a.example", ago), expiring("b.example", ahead), expiring("c.example", ahead), entry(t, "d.example"), expiring("e.example", ago)}
	_, err := a.Import(t.Context(), stream(lines), cause, nil)
	require.NoError(t, err)
	_, err = a.Import(t.Context(), stream([]blocklist.Entry{expiring("c.example", ago), expiring("e.example", ahead)}), cause, nil)
	require.NoError(t, err)
	_, _, err = a.Release(t.Context(), "anna")
	require.NoError(t, err)
	var left []string
	for e, err := range a.Entries(t.Context()) {
		require.NoError(t, err)
		left = append(left, e.Target())
	}
	assert.Equal(t, []string{"b.example", "d.example", "e.example"}, left)
}
