package ledger

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
)

// Long work says from time to time how far it is.
func TestProgress(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	all := make([]blocklist.Entry, 5000)
	for i := range all {
		all[i] = entry(t, fmt.Sprintf("n%d.example", i))
	}
	var put, verified []uint64
	require.NoError(t, l.Change(t.Context(), KindImport, cause, func(tx *Tx) error {
		_, err := tx.Put(t.Context(), stream(all), func(blocklist.Entry) func() bool { return nil }, func(n uint64) { put = append(put, n) })
		return err
	}))
	_, err := l.Verify(t.Context(), func(n uint64) { verified = append(verified, n) })
	require.NoError(t, err)
	assert.Equal(t, []uint64{4096}, put)
	assert.Equal(t, []uint64{4096, 8192}, verified, "5000 changes and 5000 entries")
}
