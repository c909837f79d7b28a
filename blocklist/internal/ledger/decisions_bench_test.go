package ledger

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkDecisions measures pages of decisions on a million proposals. Each was proposed in a step of its own, and then
// decided in a step of its own: a third was checked, most were refused, and a few referred.
func BenchmarkDecisions(b *testing.B) {
	all := 1_000_000
	if testing.Short() {
		all = 50_000
	}
	l := newLedger(b)
	ctx := b.Context()
	_, err := l.db.ExecContext(ctx, `
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
		INSERT INTO steps SELECT i, strftime('%Y-%m-%dT%H:%M:%SZ', 1700000000 + i * 60, 'unixepoch'), iif(i > ?1/2, iif(i % 7, 'anna', 'bruno'), 'hotline'),
			CASE WHEN i <= ?1/2 THEN 'propose' WHEN i % 2000 = 0 THEN 'refer' WHEN i % 3 THEN 'refuse' ELSE 'check' END,
			'reason ' || i % 1000, 'case ' || i, i, '', '' FROM n`, 2*all)
	require.NoError(b, err)
	_, err = l.db.ExecContext(ctx, `INSERT INTO step_lines SELECT id, 1 + (id - 1) % ?,
		json_object('id', 1 + (id - 1) % ?1, 'step', id, 'state', iif(kind = 'propose', 'new', 'refused')) FROM steps`, all)
	require.NoError(b, err)
	_, err = l.db.ExecContext(ctx, `INSERT INTO proposals SELECT id, 'hotline', '', 'refused', id, '', 'site' || id || '.example',
		'site' || id || '.example', '', json_object('id', id, 'state', 'refused') FROM steps WHERE id <= ?`, all)
	require.NoError(b, err)
	for _, f := range []Filter{
		{},
		{Before: int64(all + all/2)},
		{Kinds: []string{StepRefer}},
		{Kinds: []string{StepRefuse}, Author: "bruno"},
		{Author: "anna"},
		{Targets: []string{"site77.example"}},
		{IDs: []int64{int64(all + 7), 5}},
		{Since: time.Date(2029, 1, 1, 0, 0, 0, 0, time.UTC)},
		{Since: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Until: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)},
	} {
		f.Last = 51
		b.Run(fmt.Sprintf("%v/%d/%s/%s/%v/%d/%v", f.Kinds, f.Before, f.Author, f.Reference, f.Targets, len(f.IDs), !f.Since.IsZero()), func(b *testing.B) {
			for b.Loop() {
				for _, err := range l.Decisions(ctx, f) {
					require.NoError(b, err)
				}
			}
		})
	}
	b.Run("about a target", func(b *testing.B) {
		for b.Loop() {
			for _, err := range l.DecisionsAbout(ctx, []string{"site77.example", "other.example"}) {
				require.NoError(b, err)
			}
		}
	})
}
