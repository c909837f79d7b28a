package blocklist_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The ten lines with which the documentation begins are those of the example, which is run.
func TestDocumentationIsTheExample(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	var want []string
	for line := range strings.Lines(string(doc)) {
		code, ok := strings.CutPrefix(line, "//\t")
		if !ok && len(want) > 0 {
			break
		}
		if ok {
			want = append(want, strings.TrimSpace(code))
		}
	}
	example, err := os.ReadFile("example_tour_test.go")
	require.NoError(t, err)
	_, body, ok := strings.Cut(string(example), "url string) error {\n")
	require.True(t, ok)
	body, _, ok = strings.Cut(body, "\treturn nil\n}\n")
	require.True(t, ok)
	var got []string
	for line := range strings.Lines(body) {
		got = append(got, strings.TrimSpace(line))
	}
	assert.Equal(t, want, got)
}
