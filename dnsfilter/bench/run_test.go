//go:build linux

package main_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestRun makes one short comparison, so that the commands which it types stay those of the programs.
func TestRun(t *testing.T) {
	if os.Getenv("ARGINE_LONG") != "1" {
		t.Skip("ARGINE_LONG=1 runs it: it builds both commands")
	}
	for _, tool := range []string{"dnsperf", "h2load", "nsd", "openssl", "taskset"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(tool + " is not installed")
		}
	}
	out, err := exec.CommandContext(t.Context(), "./run", "-parts", "udp,kept,changes", "-peers", "dnsfilter", "-names", "20000", "-runs", "1",
		"-secs", "0.2").CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Regexp(t, `(?m)^\| dnsfilter (\| [\d.]+ ){7}\|$`, string(out))
	for _, name := range []string{"DoT", "DoH, HTTP/2", "DoH, HTTP/3", "DoQ"} {
		assert.Regexp(t, `(?m)^\| dnsfilter \| `+name+` (\| [\d.]+ ){4}\|`, string(out))
	}
	assert.Regexp(t, `(?m)^\| a delta \| [\d.]+ s \| [\d.]+ ms \| 0 \| 0 \|$`, string(out))
}
