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
	for pkg, more := range map[string][]string{
		"cmd/blocklist":       {"google.golang.org/protobuf"},
		"cmd/dnsfilter":       nil,
		"blocklist/subscribe": {"google.golang.org/protobuf"},
		"blocklist/receipt":   {"google.golang.org/protobuf", module + "blocklist/internal/tuf"},
	} {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", module+pkg).Output()
		require.NoError(t, err)
		for line := range strings.Lines(string(out)) {
			for _, stranger := range append(strangers, more...) {
				assert.False(t, strings.HasPrefix(line, stranger), "%s links %s", pkg, line)
			}
		}
	}
}
