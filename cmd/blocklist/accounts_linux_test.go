package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
)

// machine has several accounts, which run the command in one folder that all of them can search.
type machine struct {
	t   *testing.T
	dir string
}

const sharedGroup = 54321

func newMachine(t *testing.T) machine {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can run a command as another account")
	}
	dir, err := os.MkdirTemp("", "accounts-*") //nolint:usetesting // the parent of t.TempDir is private
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o777))
	program, err := os.ReadFile(os.Args[0])
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "program"), program, 0o755))
	return machine{t, dir}
}

// run runs the command as an account, with the group if the account shares it.
func (m machine) run(account uint32, shares bool, args ...string) (output string, code int) {
	m.t.Helper()
	c := exec.CommandContext(m.t.Context(), filepath.Join(m.dir, "program"), args...)
	c.Dir = m.dir
	c.Env = append(os.Environ(), asCommand+"=1", "BLOCKLIST_AUTHOR=clerk", "XDG_STATE_HOME="+filepath.Join(m.dir, "state"))
	who := &syscall.Credential{Uid: account, Gid: account, Groups: []uint32{account}}
	if shares {
		who.Groups = append(who.Groups, sharedGroup)
	}
	c.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	out, _ := c.CombinedOutput()
	return string(out), c.ProcessState.ExitCode()
}

// must runs commands that succeed, one a line.
func (m machine) must(account uint32, shares bool, commands string) {
	m.t.Helper()
	for line := range strings.SplitSeq(strings.TrimSpace(commands), "\n") {
		out, code := m.run(account, shares, strings.Fields(line)...)
		require.Zero(m.t, code, "%s\n%s", line, out)
	}
}

const (
	anna, bruno, auditor = 50001, 50002, 50003

	initDir = `keygen -o anna.key --no-passphrase
origin init ORIGIN
init DIR --list it.example/test --origin-key ORIGIN/online.pub --officer anna.pub --threshold 1`
)

// modes returns the modes and groups in a folder that differ from those that are wanted.
func (m machine) modes(folder, file fs.FileMode, group uint32) (wrong []string) {
	m.t.Helper()
	require.NoError(m.t, filepath.WalkDir(filepath.Join(m.dir, "DIR"), func(path string, d fs.DirEntry, err error) error {
		require.NoError(m.t, err)
		info, err := d.Info()
		require.NoError(m.t, err)
		want := file
		if d.IsDir() {
			want = folder | fs.ModeDir
		}
		if d.Name() == "root.json" {
			want = 0o644 // it is public: its copies are read by other programs
		}
		if info.Mode() != want || info.Sys().(*syscall.Stat_t).Gid != group {
			wrong = append(wrong, info.Mode().String()+" "+path)
		}
		return nil
	}))
	return wrong
}

func TestFolderIsPrivate(t *testing.T) {
	m := newMachine(t)
	m.must(anna, false, initDir+`
-C DIR sign --key anna.key --yes
-C DIR add one.example
-C DIR release
-C DIR sign --key anna.key --yes
origin trust ORIGIN DIR/root.json
-C DIR push ORIGIN`)
	assert.Empty(t, m.modes(0o700, 0o600, anna))
	_, code := m.run(auditor, false, "-C", "DIR", "status")
	assert.Equal(t, exitFailed, code)
	require.NoError(t, os.Chmod(filepath.Join(m.dir, "DIR"), 0o755))
	out, _ := m.run(anna, false, "-C", "DIR", "status")
	assert.Contains(t, out, "warning: other accounts of this machine can read the list; chmod -R o-rwx DIR ends that")
}

// Two accounts of a group change one list, in turns, whatever their umask.
func TestSharedGroup(t *testing.T) {
	m := newMachine(t)
	defer syscall.Umask(syscall.Umask(0o077))
	m.must(anna, true, initDir+" --shared-group 54321\n-C DIR sign --key anna.key --yes")
	m.must(bruno, true, "-C DIR add two.example\n-C DIR release")
	m.must(anna, true, `-C DIR add three.example
-C DIR release
-C DIR sign --key anna.key --yes
origin trust ORIGIN DIR/root.json
-C DIR push ORIGIN
-C DIR verify`)
	m.must(bruno, true, "-C DIR remove two.example\n-C DIR release\n-C DIR status\n-C DIR verify")
	assert.Empty(t, m.modes(0o770|fs.ModeSetgid, 0o660, sharedGroup))
	out, code := m.run(auditor, false, "-C", "DIR", "status")
	assert.Equal(t, exitFailed, code, out)
	out, code = m.run(anna, false, "init", "OTHER", "--list", "it.example/test", "--origin-key", "ORIGIN/online.pub", "--officer", "anna.pub",
		"--threshold", "1", "--shared-group", "54321")
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, out, "of which you must be a member")
}

const reading = `-C DIR status
-C DIR log
-C DIR releases
-C DIR history one.example
-C DIR show 2
-C DIR verify
-C DIR entries
-C DIR diff
-C DIR guard
-C DIR export --format domains
-C DIR pending
-C DIR request -o request.tar
lookup DIR one.example`

// An account that can't write reads everything: with no other process, beside one that writes, and after that one was
// killed.
func TestReadingWithoutWriting(t *testing.T) {
	m := newMachine(t)
	m.must(anna, false, initDir+"\n-C DIR sign --key anna.key --yes\n-C DIR add one.example\n-C DIR release")
	dir := filepath.Join(m.dir, "DIR")
	require.NoError(t, exec.CommandContext(t.Context(), "chmod", "-R", "go+rX", dir).Run())
	m.must(auditor, false, reading)
	require.NoError(t, os.Remove(filepath.Join(m.dir, "request.tar")))
	out, code := m.run(auditor, false, "-C", "DIR", "add", "two.example")
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, out, "permission denied")

	writer, err := publish.Open(dir)
	require.NoError(t, err)
	entry, err := blocklist.ParseEntry("two.example")
	require.NoError(t, err)
	_, err = writer.Add(t.Context(), []blocklist.Entry{entry}, publish.Audit{Author: "anna"})
	require.NoError(t, err)
	m.must(auditor, false, reading+"\nlookup DIR two.example")
	left, err := os.ReadFile(filepath.Join(dir, "ledger.db-wal"))
	require.NoError(t, err)
	assert.NotEmpty(t, left, "the writer has not copied its change into the database yet")
	require.NoError(t, writer.Close())
	m.must(auditor, false, "lookup DIR two.example")

	require.NoError(t, os.WriteFile(filepath.Join(dir, "ledger.db-wal"), left, 0o644))
	out, code = m.run(auditor, false, "-C", "DIR", "status")
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, out, "it has changes in ledger.db-wal, which can't be read here; copy the folder")
}

func TestReadingOnReadOnlyMount(t *testing.T) {
	m := newMachine(t)
	disk := filepath.Join(m.dir, "disk")
	require.NoError(t, os.Mkdir(disk, 0o777))
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, ""); err != nil {
		t.Skip("mounting: ", err)
	}
	t.Cleanup(func() { assert.NoError(t, syscall.Unmount(disk, 0)) })
	m.must(0, false, initDir+"\n-C DIR sign --key anna.key --yes\n-C DIR add one.example\n-C DIR release")
	require.NoError(t, exec.CommandContext(t.Context(), "mv", filepath.Join(m.dir, "DIR"), disk).Run())
	require.NoError(t, os.Symlink(filepath.Join(disk, "DIR"), filepath.Join(m.dir, "DIR")))
	require.NoError(t, syscall.Mount("", disk, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	m.must(0, false, reading)
	out, code := m.run(0, false, "-C", "DIR", "add", "two.example")
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, out, "read-only file system")
}
