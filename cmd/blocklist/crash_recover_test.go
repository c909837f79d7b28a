package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/testdata/longtest"
)

// changesFolder are the system calls by which a program changes files. A program that is killed at each of them in turn
// is killed at each moment that counts.
const changesFolder = "renameat,unlink,unlinkat,mkdirat,fsync,fdatasync,pwrite64,ftruncate"

// killedAt runs a command and kills it at the nth system call of a thread that changes files. It returns false if the
// command ended before.
func (c *crash) killedAt(t *testing.T, n int, args ...string) bool {
	t.Helper()
	strace := []string{"-f", "-qq", "-o", os.DevNull, "-e", "trace=" + changesFolder, "-e", fmt.Sprintf("inject=%s:signal=KILL:when=%d", changesFolder, n), os.Args[0]}
	cmd := exec.Command("strace", append(strace, args...)...)
	cmd.Env = append(os.Environ(), asCommand+"=1", "GOMAXPROCS=1")
	out, err := cmd.CombinedOutput()
	if err == nil {
		return false
	}
	require.NotContains(t, string(out), "error:", "it fails by itself")
	return true
}

// needStrace skips a test that kills processes at system calls, unless that is possible and the long tests run.
func needStrace(t *testing.T) {
	t.Helper()
	longtest.Only(t, "it starts and kills processes for minutes")
	if exec.Command("strace", "-o", os.DevNull, "true").Run() != nil {
		t.Skip("strace, which kills at a system call, is not here or may not trace")
	}
}

// A recovery that is killed at any moment leaves the folder as it was, or recovered, or such that the next recovery
// finishes it. So does one that is killed after another that was killed.
func TestRecoverKilled(t *testing.T) {
	needStrace(t)
	c := newCrash(t)
	base := t.TempDir()
	bundle, root := filepath.Join(base, "bundle.tar"), filepath.Join(c.dir, "root.json")
	publishName := func(name string) {
		c.must(t, "-C", c.dir, "add", name)
		c.must(t, "-C", c.dir, "release")
		c.must(t, "-C", c.dir, "sign", "--key", c.key, "--yes")
		c.must(t, "-C", c.dir, "bundle", "-o", bundle)
	}
	publishName("one.example")
	behind := filepath.Join(base, "behind")
	require.NoError(t, os.CopyFS(behind, os.DirFS(c.dir)))
	publishName("two.example")
	c.must(t, "-C", behind, "add", "three.example")
	c.must(t, "-C", behind, "release")
	c.must(t, "-C", behind, "sign", "--key", c.key, "--yes", "--again")

	for name, damage := range map[string][]string{
		"behind": nil, "parts": {"roots", "files", "releases/1"}, "no ledger": {"ledger.db"}, "damaged": {},
	} {
		t.Run(name, func(t *testing.T) {
			for n, killed := 1, true; killed; n += 1 + n/8 {
				dir := filepath.Join(t.TempDir(), fmt.Sprint(n))
				require.NoError(t, os.CopyFS(dir, os.DirFS(behind)))
				for _, part := range damage {
					require.NoError(t, os.RemoveAll(filepath.Join(dir, part)))
				}
				if name == "damaged" {
					require.NoError(t, os.Truncate(filepath.Join(dir, "ledger.db"), 8192))
					require.NoError(t, os.WriteFile(filepath.Join(dir, "ledger.db-wal"), bytes.Repeat([]byte("journal"), 999), 0o600))
				}
				recover := []string{"recover", bundle, dir, "--root", root}
				killed = c.killedAt(t, n, recover...)
				if killed && name == "behind" {
					assertWhole(t, dir)
				}
				c.killedAt(t, 2*n, recover...)
				c.must(t, recover...)
				lines := assertWhole(t, dir)
				want := "one.example two.example"
				if damage == nil || name == "parts" {
					want = "one.example three.example two.example"
				}
				assert.Equal(t, want, strings.Join(lines, " "), "killed at %d", n)
				left, err := filepath.Glob(filepath.Join(dir, ".new-*"))
				require.NoError(t, err)
				assert.Empty(t, left)
			}
		})
	}
}

// assertWhole proves that a folder can be used, and returns its entries.
func assertWhole(t *testing.T, dir string) (lines []string) {
	t.Helper()
	l, err := publish.Open(dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	_, err = l.History().Verify(t.Context(), nil)
	require.NoError(t, err)
	for e, err := range l.Entries(t.Context()) {
		require.NoError(t, err)
		lines = append(lines, e.String())
	}
	return lines
}

// An undo that is killed has not happened, or has happened whole.
func TestUndoKilled(t *testing.T) {
	needStrace(t)
	c := newCrash(t)
	path := filepath.Join(t.TempDir(), "names.txt")
	var text bytes.Buffer
	const count = 3000
	for i := range count {
		fmt.Fprintf(&text, "n%d.example\n", i)
	}
	require.NoError(t, os.WriteFile(path, text.Bytes(), 0o600))
	c.must(t, "-C", c.dir, "import", path)
	for range 2 { // the second undoes what was undone
		head := c.check(t).Head
		for n := 1; c.check(t).Head.ID == head.ID; n += 1 + n/2 {
			if killed := c.killedAt(t, n, "-C", c.dir, "undo", fmt.Sprint(head.ID)); !killed {
				assert.Equal(t, head.ID+1, c.check(t).Head.ID)
			}
			assert.Contains(t, []int{0, count}, int(c.check(t).Head.Entries))
		}
		assert.Equal(t, head.Entries == 0, c.check(t).Head.Entries == count, "killed or not, it has happened whole")
	}
}
