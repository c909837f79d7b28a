package trusttest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Environment variables of the child process of [RunKilled]: the folder, and the first serial.
const (
	KilledDir  = "ARGINE_TEST_KILLED"
	KilledFrom = "ARGINE_TEST_FROM"
)

// RunKilled runs the test again in a child process, which finds [KilledDir] and [KilledFrom] in its environment. The
// child must print the line "ready". If it has not ended by itself after the time in the argument limit, it is killed.
func RunKilled(t *testing.T, dir string, from uint64, limit time.Duration) {
	t.Helper()
	args := []string{"-test.run=^" + t.Name() + "$", "-test.timeout=3m"} // it ends even if this process is killed before
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)         //nolint:gosec // the test itself
	cmd.Env = append(os.Environ(), KilledDir+"="+dir, fmt.Sprint(KilledFrom, "=", from))
	out, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	said := bufio.NewReader(out)
	line, err := said.ReadString('\n')
	check(t, err)
	if strings.TrimSpace(line) != "ready" {
		t.Fatalf("the process says %q", line)
	}
	timer := time.AfterFunc(limit, func() { _ = cmd.Process.Kill() }) // it may have ended
	_, _ = io.Copy(io.Discard, said)
	timer.Stop()
	_ = cmd.Wait() // killed or not, what it left tells
}
