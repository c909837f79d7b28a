package service_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
	"github.com/argine-dns/argine/dnsfilter/service"
)

// handbook returns the operator's reference.
func handbook(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../cmd/dnsfilter/README.md")
	require.NoError(t, err)
	return string(text)
}

// inSource returns the keys that the settings reader knows, and the metrics that are exported, sorted.
func inSource(t *testing.T) (keys, metrics []string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	settings, err := filepath.Glob("../config/*.go")
	require.NoError(t, err)
	files = append(files, settings...)
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CompositeLit:
				if name, ok := n.Type.(*ast.Ident); ok && name.Name == "fields" {
					for _, e := range n.Elts {
						keys = append(keys, literal(e.(*ast.KeyValueExpr).Key))
					}
				}
			case *ast.BasicLit:
				if text := literal(n); strings.HasPrefix(text, "dnsfilter_") {
					metrics = append(metrics, text)
				}
			}
			return true
		})
	}
	return sorted(keys), sorted(metrics)
}

// literal returns a string of the source; empty if it is none.
func literal(e ast.Expr) string {
	if l, ok := e.(*ast.BasicLit); ok && l.Kind == token.STRING {
		text, _ := strconv.Unquote(l.Value)
		return text
	}
	return ""
}

func sorted(all []string) []string {
	slices.Sort(all)
	return slices.Compact(all)
}

// documented returns the words in the first column of the tables of a part.
func documented(text string) (words []string) {
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*`) \\|").FindAllStringSubmatch(text, -1) {
		for _, word := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(row[1], -1) {
			words = append(words, word[1])
		}
	}
	return sorted(words)
}

func part(t *testing.T, text, from, to string) string {
	t.Helper()
	_, text, ok := strings.Cut(text, from)
	require.True(t, ok, from)
	text, _, ok = strings.Cut(text, to)
	require.True(t, ok, to)
	return text
}

func TestHandbookIsComplete(t *testing.T) {
	t.Parallel()
	text := handbook(t)
	keys, metrics := inSource(t)
	assert.Equal(t, keys, documented(part(t, text, "\n## Settings\n", "\n### Example\n")))
	assert.Equal(t, metrics, documented(part(t, text, "\n## Metrics\n", "\n## Good to know\n")))
	assert.Subset(t, metrics, sorted(regexp.MustCompile(`dnsfilter_[a-z_]+`).FindAllString(text, -1)))
}

// The handbook names all formats that a list may have.
func TestHandbookNamesFormats(t *testing.T) {
	t.Parallel()
	row := part(t, handbook(t), "\n| `format` | ", " | `auto` | ")
	var names []string
	for _, word := range regexp.MustCompile("`([a-z]+)`").FindAllStringSubmatch(row, -1) {
		names = append(names, word[1])
	}
	var readable []string
	for _, f := range formats.Readable() {
		readable = append(readable, string(f))
	}
	assert.Equal(t, sorted(readable), sorted(names))
}

func TestHandbookExample(t *testing.T) {
	t.Parallel()
	a, dir := newAgency(t), t.TempDir()
	root, err := os.ReadFile(a.root())
	require.NoError(t, err)
	for name, content := range map[string]string{
		"dnsfilter.yaml": strings.Replace(part(t, handbook(t), "```yaml\n", "```"), "/var/lib/dnsfilter", "state", 1),
		"test.root.json": string(root), "cookies": strings.Repeat("0f", 16) + "\n",
		"local.txt": "a.example\n", "local.zone": "a.example A 192.0.2.1\n", "first.txt": "b.example\n", "second.txt": "b.example\n", "allow.txt": "c.example\n",
		"protected.txt": "d.example\n", "popular.csv": "1,e.example\n",
	} {
		dnstest.WriteFile(t, dir, name, content)
	}
	s, err := config.Read(filepath.Join(dir, "dnsfilter.yaml"))
	require.NoError(t, err)
	require.NoError(t, s.CheckFiles())
	_, err = service.ReadFiles(s)
	require.NoError(t, err)
}
