package main_test

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/testdata/peers"
)

// TestBench makes one short comparison, so that the commands which it types stay those of the programs.
func TestBench(t *testing.T) {
	peers.Need(t, "dnsperf", "h2load", "nsd", "openssl", "taskset")
	cmd := exec.CommandContext(t.Context(), "./run", "-parts", "udp,kept,changes", "-peers", "dnsfilter", "-names", "20000", "-runs", "1",
		"-secs", "0.2")
	cmd.Dir = "../../dnsfilter/bench"
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Regexp(t, `(?m)^\| dnsfilter (\| [\d.]+ ){7}\|$`, string(out))
	for _, name := range []string{"DoT", "DoH, HTTP/2", "DoH, HTTP/3", "DoQ"} {
		assert.Regexp(t, `(?m)^\| dnsfilter \| `+name+` (\| [\d.]+ ){4}\|`, string(out))
	}
	assert.Regexp(t, `(?m)^\| a delta \| [\d.]+ s \| [\d.]+ ms \| 0 \| 0 \|$`, string(out))
}
