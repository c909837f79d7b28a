package dnsfilter_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestModules limits the modules that a program with the engine links.
func TestModules(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", ".").Output()
	require.NoError(t, err)
	modules := strings.Fields(string(out))
	slices.Sort(modules)
	modules = slices.Compact(modules)
	assert.LessOrEqual(t, len(modules), 10, modules)
	for _, m := range modules {
		for _, heavy := range []string{"yaml", "prometheus", "protobuf", "filippo.io/age", "go-tuf", "sigstore", "sqlite"} {
			assert.NotContains(t, m, heavy)
		}
	}
}
