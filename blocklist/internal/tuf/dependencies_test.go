package tuf_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDependencies checks that the commands and the library packages link neither a TUF library nor its dependencies:
// only tests may use them. Prometheus brings protobuf into dnsfilter, and only there.
func TestDependencies(t *testing.T) {
	const module = "github.com/argine-dns/argine/"
	strangers := []string{"github.com/theupdateframework/", "github.com/sigstore/", "github.com/secure-systems-lab/", "github.com/google/go-containerregistry", "google.golang.org/genproto"}
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", "{{.ImportPath}} {{join .Deps \" \"}}", module+"cmd/...", module+"blocklist/...").Output()
	require.NoError(t, err)
	deps := map[string][]string{} // of packages
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		deps[words[0]] = words[1:]
	}
	for pkg, more := range map[string][]string{
		"cmd/blocklist":       {"google.golang.org/protobuf"},
		"cmd/dnsfilter":       nil,
		"blocklist/subscribe": {"google.golang.org/protobuf"},
		"blocklist/receipt":   {"google.golang.org/protobuf", module + "blocklist/internal/tuf"},
	} {
		require.NotEmpty(t, deps[module+pkg])
		for _, dep := range deps[module+pkg] {
			for _, stranger := range append(strangers, more...) {
				assert.False(t, strings.HasPrefix(dep, stranger), "%s links %s", pkg, dep)
			}
		}
	}
}
