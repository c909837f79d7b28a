package ledger

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestPlans reads how SQLite answers the questions about the history: the changes, of which there may be millions, are
// found by an index or by their place in the history, never read as a whole.
func TestPlans(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	array := jsonArray([]string{"example.com"})
	ofTarget, _ := Filter{Targets: []string{"example.com"}, Last: 3}.query()
	all, _ := Filter{}.query()
	for name, c := range map[string]struct {
		text string
		args []any
	}{
		"history":           {targetChanges, []any{array}},
		"log":               {all, []any{firstLines}},
		"log of one target": {ofTarget, []any{firstLines, array, 3}},
	} {
		plan := l.plan(t, c.text, c.args...)
		whole := func(step string) bool {
			return step == "SCAN changes" || step == "SCAN c" || strings.HasPrefix(step, "SCAN checks")
		}
		assert.False(t, slices.ContainsFunc(plan, whole), "%s:\n%s", name, strings.Join(plan, "\n"))
		assert.True(t, slices.ContainsFunc(plan, func(step string) bool {
			return strings.HasPrefix(step, "SEARCH changes USING INTEGER PRIMARY KEY") || strings.HasPrefix(step, "SEARCH c USING INTEGER PRIMARY KEY")
		}), "%s:\n%s", name, strings.Join(plan, "\n"))
	}
}

// plan returns the steps in which SQLite answers a question.
func (l *Ledger) plan(t *testing.T, text string, args ...any) (plan []string) {
	t.Helper()
	scan := func(row scanner) (step string, err error) {
		var id, parent, unused int
		return step, row.Scan(&id, &parent, &unused, &step)
	}
	for step, err := range query(t.Context(), l.q, scan, "EXPLAIN QUERY PLAN "+text, args...) {
		require.NoError(t, err, text)
		plan = append(plan, step)
	}
	return plan
}

// The rare kinds of operations are found by their index.
func TestPlanOfKinds(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	text, args := Range{Kinds: []string{KindUrgent, KindPush}}.query()
	assert.Contains(t, strings.Join(l.plan(t, text, args...), "\n"), "USING INDEX operations_kind (kind=?")
}

// BenchmarkQueries asks about a history of 1,000,000 entries and 10,000 operations; each answer should take less than a
// tenth of a second.
func BenchmarkQueries(b *testing.B) {
	l := newLedger(b)
	_, err := l.db.ExecContext(b.Context(), `
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)
			INSERT INTO changes SELECT i, '+', 'n' || (i * 7919 % 1000003) || '.example', ' ref="order ' || (i % 300) || '"', NULL FROM n;
		INSERT INTO entries SELECT target, attributes, NULL, NULL, id FROM changes ORDER BY target;
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
			INSERT INTO operations SELECT 1 + i, '2026-11-29T20:00:00Z', 'anna', 'add', 'as ordered', 'order ' || (i % 300), 100, 0, 100 * i,
				hex(randomblob(32)), 100 * i, hex(randomblob(32)), lower(hex(randomblob(32))) FROM n`)
	require.NoError(b, err)
	target := []string{l.ask(b, `SELECT target FROM changes WHERE id = 777777`), "example"}
	count := func(n int, err error) {
		if err != nil || n == 0 {
			b.Fatal(n, err)
		}
	}
	log := func(f Filter) (n int, err error) {
		for _, err := range l.Log(b.Context(), f) {
			if err != nil {
				return n, err
			}
			n++
		}
		return n, nil
	}
	for name, ask := range map[string]func() (int, error){
		"history": func() (int, error) {
			all, err := l.History(b.Context(), target)
			return len(all), err
		},
		"newest":    func() (int, error) { return log(Filter{Last: 20}) },
		"reference": func() (int, error) { return log(Filter{Reference: "order 7*"}) },
		"target":    func() (int, error) { return log(Filter{Targets: target}) },
		"all":       func() (int, error) { return log(Filter{}) },
		"kind": func() (n int, err error) {
			for _, err := range l.Operations(b.Context(), Range{Kinds: []string{KindUrgent}}) {
				return n, err
			}
			return 1, nil
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				count(ask())
			}
		})
	}
}
