package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/testdata/longtest"
)

// crash is an agency and an origin, worked on by processes that are killed.
type crash struct {
	dir, origin, key string
	listed           int // names that the ledger has
}

// Import, release and push are killed at random points. Each time the ledger is whole and has the old state or the new,
// and the same command, run again, ends well.
func TestKilled(t *testing.T) {
	longtest.Only(t, "it starts and kills processes for many seconds")
	c := newCrash(t)
	for round := range 2 {
		c.killImport(t, round)
		c.killReplace(t)
		c.killRelease(t)
		c.killPush(t, uint64(round)+1)
	}
}

// newCrash makes an agency with one officer, and an origin.
func newCrash(t *testing.T) *crash {
	t.Helper()
	base := t.TempDir()
	c := &crash{dir: filepath.Join(base, "DIR"), origin: filepath.Join(base, "ORIGIN"), key: filepath.Join(base, "anna.key")}
	c.must(t, "keygen", "-o", c.key, "--no-passphrase")
	c.must(t, "origin", "init", c.origin)
	c.must(t, "init", c.dir, "--list", "it.example/test", "--origin-key", filepath.Join(c.origin, "online.pub"),
		"--officer", filepath.Join(base, "anna.pub"), "--threshold", "1")
	c.must(t, "-C", c.dir, "sign", "--key", c.key, "--yes")
	c.must(t, "-C", c.dir, "guard", "--max-growth", "1000%")
	c.must(t, "origin", "trust", c.origin, filepath.Join(c.dir, "root.json"))
	return c
}

func (c *crash) command(args ...string) (*exec.Cmd, *bytes.Buffer) {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asCommand+"=1")
	var out bytes.Buffer
	cmd.Stderr = &out
	return cmd, &out
}

// must runs a command to its end.
func (c *crash) must(t *testing.T, args ...string) {
	t.Helper()
	cmd, out := c.command(args...)
	require.NoError(t, cmd.Run(), out.String())
}

// kill runs a command and kills it within the time it is thought to need.
func (c *crash) kill(t *testing.T, within time.Duration, args ...string) {
	t.Helper()
	cmd, out := c.command(args...)
	require.NoError(t, cmd.Start())
	time.Sleep(rand.N(within))
	if err := cmd.Process.Kill(); !errors.Is(err, os.ErrProcessDone) {
		require.NoError(t, err)
	}
	var killed *exec.ExitError
	if err := cmd.Wait(); err != nil {
		require.ErrorAs(t, err, &killed)
		require.False(t, killed.Exited(), out.String()) // it did not fail by itself
	}
}

// check proves that the ledger is whole and returns where it stands.
func (c *crash) check(t *testing.T) publish.Status {
	t.Helper()
	l, err := publish.Open(c.dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	_, err = l.Verify(t.Context(), nil)
	require.NoError(t, err)
	s, err := l.Status(t.Context())
	require.NoError(t, err)
	if s.Pending != nil {
		for _, err := range l.Review(s.Pending) {
			require.NoError(t, err)
		}
	}
	return s
}

func (c *crash) killImport(t *testing.T, round int) {
	t.Helper()
	const count = 4000
	path := filepath.Join(t.TempDir(), "names.txt")
	var text bytes.Buffer
	for i := range count {
		fmt.Fprintf(&text, "r%d.n%d.example\n", round, i)
	}
	require.NoError(t, os.WriteFile(path, text.Bytes(), 0o600))
	for range 4 {
		c.kill(t, 300*time.Millisecond, "-C", c.dir, "import", path)
		assert.Contains(t, []int{c.listed, c.listed + count}, int(c.check(t).Head.Entries))
	}
	c.must(t, "-C", c.dir, "import", path)
	c.listed += count
	assert.Equal(t, c.listed, int(c.check(t).Head.Entries))
}

// killReplace kills what gives and withdraws orders on entries that are listed, and stay so.
func (c *crash) killReplace(t *testing.T) {
	t.Helper()
	var text bytes.Buffer
	for i := range 2000 {
		fmt.Fprintf(&text, "r0.n%d.example\n", i)
	}
	all, half := filepath.Join(t.TempDir(), "all.txt"), filepath.Join(t.TempDir(), "half.txt")
	require.NoError(t, os.WriteFile(all, text.Bytes(), 0o600))
	require.NoError(t, os.WriteFile(half, text.Bytes()[:bytes.LastIndexByte(text.Bytes()[:text.Len()/2], '\n')+1], 0o600))
	for _, command := range [][]string{
		{"import", all, "--ref", "feed"},
		{"import", half, "--ref", "feed", "--replace", "--override", "half of it"},
	} {
		command = append([]string{"-C", c.dir}, command...)
		for range 4 {
			c.kill(t, 300*time.Millisecond, command...)
			assert.Equal(t, c.listed, int(c.check(t).Head.Entries))
		}
		c.must(t, command...)
	}
	c.must(t, "-C", c.dir, "remove", "--ref", "feed")
	assert.Equal(t, c.listed, int(c.check(t).Head.Entries))
}

func (c *crash) killRelease(t *testing.T) {
	t.Helper()
	for i := range 4 {
		c.must(t, "-C", c.dir, "add", fmt.Sprintf("x%d.n%d.example", i, c.listed))
		c.listed++
		before := c.check(t)
		c.kill(t, 120*time.Millisecond, "-C", c.dir, "release")
		after := c.check(t)
		if after.Pending != nil && (before.Pending == nil || after.Pending.Ledger != before.Pending.Ledger) {
			assert.Equal(t, before.Head.Hash, after.Pending.Ledger) // the new release is of the new state
		}
		if before.Pending != nil {
			assert.NotNil(t, after.Pending, "the release that was pending is lost")
		}
	}
	c.must(t, "-C", c.dir, "release")
	assert.Equal(t, c.listed, int(c.check(t).Pending.Entries))
}

func (c *crash) killPush(t *testing.T, serial uint64) {
	t.Helper()
	c.must(t, "-C", c.dir, "sign", "--key", c.key, "--yes")
	for range 4 {
		c.kill(t, 150*time.Millisecond, "-C", c.dir, "push", c.origin)
		if s := c.check(t); s.Released != nil {
			assert.Contains(t, []uint64{serial - 1, serial}, s.Released.Serial)
		}
	}
	c.must(t, "-C", c.dir, "push", c.origin)
	s := c.check(t)
	require.NotNil(t, s.Released)
	assert.Equal(t, serial, s.Released.Serial)
	assert.Nil(t, s.Pending)
	pulled := filepath.Join(t.TempDir(), "PULLED")
	c.must(t, "pull", "--root", filepath.Join(c.dir, "root.json"), c.origin, "-o", pulled)
	text, err := os.ReadFile(filepath.Join(pulled, pulledFile))
	require.NoError(t, err)
	assert.Equal(t, c.listed, bytes.Count(text, []byte("\n")))
}
