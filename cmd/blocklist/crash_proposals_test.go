package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
	"github.com/argine-dns/argine/testdata/longtest"
)

// Proposing, checking and confirming are killed at random points. Each time all of the proposals are in the old state or
// in the new, and as many entries are listed as are confirmed.
func TestKilledProposals(t *testing.T) {
	longtest.Only(t, "it starts and kills processes for many seconds")
	c := newCrash(t)
	const count = 3000
	var text bytes.Buffer
	for i := range count {
		fmt.Fprintf(&text, "p%d.example\n", i)
	}
	path := filepath.Join(t.TempDir(), "names.txt")
	require.NoError(t, os.WriteFile(path, text.Bytes(), 0o600))
	all := fmt.Sprintf("1-%d", count)
	for _, command := range []struct {
		from, to string
		args     []string
	}{
		{"", proposal.New, []string{"propose", "-f", path, "--source", "hotline"}},
		{proposal.New, proposal.Checked, []string{"proposals", "check", all, "--author", "anna"}},
		{proposal.Checked, proposal.Listed, []string{"proposals", "confirm", all, "--author", "bruno"}},
	} {
		args := append([]string{"-C", c.dir}, command.args...)
		for range 5 {
			if c.state(t, count) == command.from {
				c.kill(t, 600*time.Millisecond, args...)
			}
			assert.Contains(t, []string{command.from, command.to}, c.state(t, count))
		}
		if c.state(t, count) == command.from {
			c.must(t, args...)
		}
		assert.Equal(t, command.to, c.state(t, count))
	}
}

// state returns the state of all proposals, empty if there are none.
func (c *crash) state(t *testing.T, count int) string {
	t.Helper()
	listed := c.check(t).Head.Entries
	l, err := publish.Open(c.dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	counts, err := proposal.Counts(t.Context(), l)
	require.NoError(t, err)
	if len(counts) == 0 {
		assert.Zero(t, listed)
		return ""
	}
	require.Len(t, counts, 1)
	assert.Equal(t, count, int(counts[0].Number))
	assert.Equal(t, counts[0].State == proposal.Listed, listed == uint64(count))
	return counts[0].State
}
