package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/testdata/longtest"
)

// smallDisk mounts a file system of 3 MB.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=3m"); err != nil {
		t.Skip("a small disk can't be mounted here: ", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, 0)) })
	return dir
}

// fill fills a disk but for some bytes.
func fill(t *testing.T, disk string, free int64) (path string) {
	t.Helper()
	path = filepath.Join(disk, "filler")
	err := os.WriteFile(path, make([]byte, 4<<20), 0o600)
	require.ErrorIs(t, err, syscall.ENOSPC)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.NoError(t, os.Truncate(path, max(0, info.Size()-free)))
	return path
}

// A command that fills the disk fails, says that it is full and which folder is on it, and loses nothing: once there is
// room, it ends well.
func TestFullDisk(t *testing.T) {
	longtest.Only(t, "it runs commands for seconds")
	disk := smallDisk(t)
	c := newCrash(t)
	small := *c
	small.dir, small.origin = filepath.Join(disk, "DIR"), filepath.Join(disk, "ORIGIN")
	names := filepath.Join(t.TempDir(), "names.txt")
	var text bytes.Buffer
	for i := range 4000 {
		fmt.Fprintf(&text, "n%d.example\n", i*7919)
	}
	require.NoError(t, os.WriteFile(names, text.Bytes(), 0o600))
	require.NoError(t, os.CopyFS(small.dir, os.DirFS(c.dir)))
	require.NoError(t, os.CopyFS(small.origin, os.DirFS(c.origin)))
	bundle, root := filepath.Join(t.TempDir(), "bundle.tar"), filepath.Join(c.dir, "root.json")
	for _, step := range [][]string{
		{"-C", small.dir, "import", names},
		{"-C", small.dir, "release"},
		{"-C", small.dir, "sign", "--key", small.key, "--yes"},
		{"-C", small.dir, "push", small.origin},
		{"-C", small.dir, "bundle", "-o", bundle},
		{"recover", bundle, filepath.Join(disk, "NEW"), "--root", root},
	} {
		failed := 0
		for _, free := range []int64{0, 8 << 10, 32 << 10, 64 << 10, 128 << 10, 256 << 10} {
			filler := fill(t, disk, free)
			cmd, out := small.command(step...)
			err := cmd.Run()
			require.NoError(t, os.Remove(filler))
			small.check(t)
			if err == nil {
				break
			}
			exit := (*exec.ExitError)(nil)
			require.ErrorAs(t, err, &exit)
			failed++
			assert.Contains(t, out.String(), "no space left on device", step)
			assert.Contains(t, out.String(), disk, step)
			left, err := filepath.Glob(filepath.Join(disk, "NEW", ".new-*"))
			require.NoError(t, err)
			assert.Empty(t, left, "what was not finished takes no room")
		}
		assert.Positive(t, failed, step)
		small.must(t, step...)
	}
	assert.Len(t, assertWhole(t, filepath.Join(disk, "NEW")), 4000)
}
