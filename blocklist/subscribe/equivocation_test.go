package subscribe_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
)

// A forged history: enough officers have signed another state of the serial in force, and then a later one that rests on
// it. The first is refused. The second is enforced, with an alarm: its officers could list anything in it.
func TestEquivocation(t *testing.T) {
	t.Parallel()
	st := newStage(t)
	log := &records{}
	st.c.Log = slog.New(log)
	st.restart(t, st.c.Origins...)
	st.follows(3)
	alarms := func() (n int) {
		for _, line := range log.seen {
			if line == "WARN equivocation: officers have signed two states of one serial" {
				n++
			}
		}
		return n
	}
	assert.Zero(t, alarms())
	assert.Zero(t, st.Status().Equivocations)

	fork := st.agency.Release(3, "example.org", "third.example.net", "other.example")
	st.publish(fork)
	for range 2 {
		require.ErrorIs(t, st.refresh(t), blocklist.ErrEquivocation)
		st.enforces(t, 3)
		_, listed := st.store.LookupHost("other.example")
		assert.False(t, listed)
		assert.Equal(t, 1, st.Status().Equivocations)
		assert.Equal(t, 1, alarms(), "once")
	}
	path := filepath.Join(t.TempDir(), "fork.tar")
	require.NoError(t, os.WriteFile(path, st.agency.Bundle(fork), 0o600))
	_, err := st.Apply(t.Context(), path)
	require.ErrorIs(t, err, blocklist.ErrEquivocation, "by hand")
	assert.Equal(t, 1, alarms(), "the same proof")

	st.publish(st.agency.Delta(fork, "+later.example"))
	require.NoError(t, st.refresh(t))
	st.enforces(t, 4)
	assert.Equal(t, 2, st.Status().Equivocations)
	assert.Equal(t, 2, alarms())
	st.restart(t, st.c.Origins...)
	assert.Equal(t, 2, st.Status().Equivocations, "the proofs are on the disk")
}
