package subscribe_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/testdata/longtest"
)

// What has changed is merged beside updates. When the set has grown beyond what its filter was made for, it is made
// again.
func TestMergesAndRebuilds(t *testing.T) {
	t.Parallel()
	longtest.Only(t, "it merges tens of thousands of changes")
	const step = 11_000 // changes are merged from 10,000 on
	c := newChain(t, filler(1000)...)
	s := newSubscriber(t, c.agency, c.url)
	var err error
	s.c.Guard, err = guard.New(guard.Limits{MaxGrowth: 1000})
	require.NoError(t, err)
	s.c.Interval = 50 * time.Millisecond
	log := &records{}
	s.c.Log = slog.New(log)
	s.restart(t, c.url)
	s.run(t)
	done := func(message string) (n int) {
		log.mu.Lock()
		defer log.mu.Unlock()
		for _, seen := range log.seen {
			if strings.Contains(seen, message) {
				n++
			}
			assert.NotContains(t, seen, "ERROR")
		}
		return n
	}
	require.Eventually(t, func() bool { _, ok := s.store.LookupHost("example.org"); return ok }, time.Minute, 10*time.Millisecond)
	for i := range 4 {
		var changes []string
		for n := range step {
			changes = append(changes, fmt.Sprintf("+n%06d.example.test", i*step+n))
		}
		c.delta(changes...)
		want := fmt.Sprintf("n%06d.example.test", i*step+step-1)
		require.Eventually(t, func() bool { _, ok := s.store.LookupHost(want); return ok }, time.Minute, 10*time.Millisecond)
		require.Eventually(t, func() bool { return done("merged into the set")+done("the set is compiled again") > i }, time.Minute, 10*time.Millisecond)
	}
	assert.Positive(t, done("the set is compiled again"))
	for n := range 4 * step {
		_, ok := s.store.LookupHost(fmt.Sprintf("n%06d.example.test", n))
		require.True(t, ok, n)
	}
	s.lists(t, false, fmt.Sprintf("n%06d.example.test", 4*step))
	digest := s.Status().Digest
	s.restart(t, t.TempDir())
	assert.Equal(t, digest, s.Status().Digest)
	s.lists(t, true, "n000000.example.test", "example.org")
}

// TestMergeMemory logs the resident memory before, while and after so many changes are merged that a merge is due.
// ARGINE_MERGE is the length of the list.
func TestMergeMemory(t *testing.T) {
	entries := number("ARGINE_MERGE", 0)
	if entries == 0 {
		t.Skip("ARGINE_MERGE says how long the list is to be")
	}
	w := newWay(t, entries)
	w.publish(t)
	await := func(serial uint64) {
		require.Eventually(t, func() bool { return w.sub.Status().Serial == serial }, 10*time.Minute, 10*time.Millisecond)
	}
	await(1)
	var more []blocklist.Entry
	for i := range 11_000 {
		more = append(more, line(t, fmt.Sprintf("more%d.example category=test", i)))
	}
	_, err := w.ledger.Add(t.Context(), more, who)
	require.NoError(t, err)
	w.publish(t)
	await(2)
	before, set := resident(), w.set(t)
	most := before
	for start := time.Now(); w.set(t) == set; time.Sleep(time.Millisecond) {
		most = max(most, resident())
		require.Less(t, time.Since(start), 10*time.Minute)
	}
	info, err := os.Stat(w.set(t))
	require.NoError(t, err)
	debug.FreeOSMemory()
	t.Logf("the set has %d MB; own memory (not files) before %d MB, at most %d MB, after %d MB", info.Size()>>20, before>>10, most>>10, resident()>>10)
	assert.Less(t, (most-before)<<10, info.Size()/2+64<<20, "what is merged is not in memory as a whole")
}

// set returns the path of the set in force.
func (w *way) set(t *testing.T) string {
	t.Helper()
	dir := signed(t, w.store, "it.example/test").Dir()
	b, err := os.ReadFile(filepath.Join(dir, "state.json"))
	require.NoError(t, err)
	var state struct{ Set string }
	require.NoError(t, json.Unmarshal(b, &state))
	return filepath.Join(dir, state.Set)
}

// resident returns the memory of the process that no file backs, in KiB.
func resident() (kb int64) {
	b, _ := os.ReadFile("/proc/self/status")
	for l := range bytes.Lines(b) {
		if rest, ok := bytes.CutPrefix(l, []byte("RssAnon:")); ok {
			_, _ = fmt.Sscan(string(rest), &kb)
		}
	}
	return kb
}
