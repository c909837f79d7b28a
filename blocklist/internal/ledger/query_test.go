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
		var plan []string
		scan := func(row scanner) (step string, err error) {
			var id, parent, unused int
			return step, row.Scan(&id, &parent, &unused, &step)
		}
		for step, err := range query(t.Context(), l.q, scan, "EXPLAIN QUERY PLAN "+c.text, c.args...) {
			require.NoError(t, err, name)
			plan = append(plan, step)
		}
		whole := func(step string) bool {
			return step == "SCAN changes" || step == "SCAN c" || strings.HasPrefix(step, "SCAN checks")
		}
		assert.False(t, slices.ContainsFunc(plan, whole), "%s:\n%s", name, strings.Join(plan, "\n"))
		assert.True(t, slices.ContainsFunc(plan, func(step string) bool {
			return strings.HasPrefix(step, "SEARCH changes USING INTEGER PRIMARY KEY") || strings.HasPrefix(step, "SEARCH c USING INDEX")
		}), "%s:\n%s", name, strings.Join(plan, "\n"))
	}
}
