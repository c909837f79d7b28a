package blocklist_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
	"github.com/argine-dns/argine/testdata/longtest"
)

// crashState returns the lines of a serial: every state differs from its neighbours, and carries its serial.
func crashState(serial uint64) []string {
	lines := []string{}
	for i := range 2000 {
		lines = append(lines, fmt.Sprintf("n%05d.s%d.example", i, serial))
	}
	return lines
}

// applyUntilKilled applies one serial after the other.
func applyUntilKilled(t *testing.T, dir string) {
	t.Helper()
	s := openStore(t, dir)
	info, _ := s.List(csam)
	last := info.Serial
	if last == 0 { // something is there however slow the machine is
		last++
		require.NoError(t, apply(s, snapshot(t, last, crashState(last)...)))
	}
	fmt.Println("ready")
	for serial := last + 1; ; serial++ {
		if serial%3 == 0 {
			require.NoError(t, apply(s, snapshot(t, serial, crashState(serial)...)))
			continue
		}
		var delta []string
		for i, line := range crashState(serial - 1) { // both states interleave in order of their targets
			before, after := "-"+line, "+"+crashState(serial)[i]
			if before[1:] > after[1:] {
				before, after = after, before
			}
			delta = append(delta, before, after)
		}
		require.NoError(t, apply(s, release(t, header(serial, serial-1, crashState(serial)...), delta...)))
	}
}

// TestCrash kills a process that applies releases at random moments: what is found afterwards is one whole state, never
// older than one that was found before.
func TestCrash(t *testing.T) {
	if dir := os.Getenv(trusttest.KilledDir); dir != "" {
		applyUntilKilled(t, dir)
	}
	t.Parallel()
	dir := t.TempDir()
	var last uint64
	for i := range longtest.Rounds(5, 12) {
		trusttest.RunKilled(t, dir, 0, time.Duration(80+i*37%200)*time.Millisecond)
		s, err := blocklist.Open(dir, blocklist.Options{})
		require.NoError(t, err)
		info, ok := s.List(csam)
		if ok {
			require.NoError(t, info.Err)
			require.GreaterOrEqual(t, info.Serial, last)
			last = info.Serial
			for _, line := range crashState(info.Serial) {
				require.Equal(t, line, listed(s, "www."+line))
			}
			assert.Equal(t, "-", listed(s, crashState(info.Serial - 1)[7]))
			assert.Equal(t, "-", listed(s, crashState(info.Serial + 1)[7]))
			assert.JSONEq(t, fmt.Sprintf(`{"serial":%d}`, info.Serial), string(s.Metadata(csam)))
		}
		require.NoError(t, s.Close())
	}
	assert.Positive(t, last, "no release was applied in time")
}
