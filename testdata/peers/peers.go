// Package peers runs programs for tests: our commands, built from the tree, and programs of other projects. If such a
// program is not installed, the test is skipped. All programs listen on loopback, and end with the test.
package peers

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/testdata/longtest"
)

// Need skips the test unless the long tests run and all the programs are installed. It is for tests with servers of
// other projects.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	longtest.Only(t, "it starts other programs")
	Installed(t, programs...)
}

// Installed skips the test if one of the programs is not installed. It is for tests that take only a moment.
func Installed(t testing.TB, programs ...string) {
	t.Helper()
	for _, name := range programs {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip(name + " is not installed")
		}
	}
}

// Build builds one of our commands, and returns the path of the executable. It uses go run, which caches linked
// executables, while go build links each time. So all test processes together link each command once.
func Build(t testing.TB, command string) string {
	t.Helper()
	dir := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "go", "run", "-exec", "cp",
		"github.com/argine-dns/argine/cmd/"+command, dir).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return filepath.Join(dir, command)
}

// AwaitTCP waits up to 20 seconds until a server accepts connections at an address.
func AwaitTCP(t testing.TB, addr string) {
	t.Helper()
	require.True(t, Wait(t, 20*time.Second, func() bool {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		return err == nil && c.Close() == nil
	}), addr)
}

// Port returns the port of an address.
func Port(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }

// Exchanged returns the text of a file in which words are replaced. The argument pairs has each word, followed by its
// replacement. Each word must be in the file. So a test can run a documented example with other addresses and paths.
func Exchanged(t testing.TB, path string, pairs ...string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	for i := 0; i < len(pairs); i += 2 {
		require.Contains(t, string(b), pairs[i], path)
	}
	return strings.NewReplacer(pairs...).Replace(string(b))
}

// Write writes a file into a folder, and returns its path.
func Write(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

// Process is a program that a test has started.
type Process struct {
	cmd     *exec.Cmd
	test    string
	done    chan struct{}
	stopped atomic.Bool

	mu  sync.Mutex
	out bytes.Buffer
}

// started has as keys the processes that tests have started and not yet cleaned up, running or not.
var started sync.Map

// Wait waits until the argument condition returns true, and reports whether it did within the time in the argument
// limit. It fails the test at once if a program that the test started has ended without [Process.Stop].
func Wait(t testing.TB, limit time.Duration, condition func() bool) bool {
	t.Helper()
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if condition() {
			return true
		}
		for p := range started.Range {
			p.(*Process).checkRuns(t)
		}
	}
	return false
}

// checkRuns fails the test t if the program belongs to t and has ended without [Process.Stop].
func (p *Process) checkRuns(t testing.TB) {
	t.Helper()
	select {
	case <-p.done:
		if mine := t.Name() == p.test || strings.HasPrefix(t.Name(), p.test+"/"); mine && !p.stopped.Load() {
			t.Fatalf("%s has ended: %s", p.cmd, p.cmd.ProcessState)
		}
	default:
	}
}

// Start starts a program in the folder dir. At the end of the test, the program is stopped; if the test has failed, its
// output is logged.
func Start(t testing.TB, dir, program string, args ...string) *Process {
	t.Helper()
	p := &Process{cmd: exec.Command(program, args...), test: t.Name(), done: make(chan struct{})}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr, p.cmd.WaitDelay = dir, p, p, 5*time.Second
	require.NoError(t, p.cmd.Start())
	started.Store(p, nil)
	go func() {
		_ = p.cmd.Wait() // how it ended is in its output
		close(p.done)
	}()
	t.Cleanup(func() {
		p.Stop()
		started.Delete(p)
		if t.Failed() {
			t.Logf("%s:\n%s", filepath.Base(program), p.Output())
		}
	})
	return p
}

// Write implements io.Writer. It appends to the output of the program.
func (p *Process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(b)
}

// Output returns what the program has printed so far.
func (p *Process) Output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// Stop asks the program to end, and kills it after five seconds.
func (p *Process) Stop() {
	p.stopped.Store(true)
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.done:
	case <-time.After(5 * time.Second):
		p.Kill()
	}
}

// Kill ends the program at once, like a power failure.
func (p *Process) Kill() {
	p.stopped.Store(true)
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.done
}

// Run runs a program to its end and returns what it has printed. It fails the test if the program fails, or needs more
// than half a minute.
func Run(t testing.TB, dir, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = dir
	timer := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s %q: %s", program, args, out)
	return string(out)
}
