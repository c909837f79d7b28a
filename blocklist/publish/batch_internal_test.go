package publish

import (
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
)

// ImportInBatches is Import with batches of another size.
func ImportInBatches(t *testing.T, l *Ledger, entries iter.Seq2[blocklist.Entry, error], c Audit, size int) ChangeResult {
	t.Helper()
	r, err := l.change(t.Context(), KindImport, c, func(o *operation, r *ChangeResult) error {
		check, err := l.newCheck(t.Context(), c)
		require.NoError(t, err)
		check.bulk = true
		if err := o.put(t.Context(), entries, &batch{limit: size}, check, r, nil); err != nil {
			return err
		}
		r.Refused, r.Findings = check.refused, check.found()
		return nil
	})
	require.NoError(t, err)
	return r
}
