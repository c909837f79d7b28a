package argine_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// outOfUse are the words that neither code, comments, help texts nor documents use, with what to write instead.
var outOfUse = []struct{ pattern, instead string }{
	{`tells? whether`, "reports whether"},
	{`lest`, "so that ... not"},
	{`of no matter`, "does not matter"},
	{`those that came`, "a noun: the new entries, the arrivals"},
	{`hence|thereby|thus`, "so"},
}

// TestWords fails on words that are out of use, in Go, Markdown and help texts.
func TestWords(t *testing.T) {
	t.Parallel()
	for _, w := range outOfUse {
		pattern := regexp.MustCompile(`(?i)\b(` + w.pattern + `)\b`)
		eachLine(t, func(at, line string) {
			if word := pattern.FindString(line); word != "" {
				t.Errorf("%s: %q is out of use, write %q: %s", at, word, w.instead, strings.TrimSpace(line))
			}
		})
	}
}

// eachLine calls f with every line of Go and Markdown, and where it is. The list of the words themselves is left out.
func eachLine(t *testing.T, f func(at, line string)) {
	t.Helper()
	for _, path := range sources(t) {
		if path == "words_test.go" || path == "CONTRIBUTING.md" {
			continue
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		n := 0
		for line := range strings.Lines(string(text)) {
			n++
			f(fmt.Sprintf("%s:%d", path, n), line)
		}
	}
}

// sources are the files of Go and Markdown that are kept in git.
func sources(t *testing.T) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", "ls-files", "*.go", "*.md").Output()
	if err != nil {
		t.Skip("this is no clone: ", err)
	}
	paths := strings.Fields(string(out))
	assert.NotEmpty(t, paths)
	return paths
}

var (
	linkPattern = regexp.MustCompile(`\]\(([^)#\s]+)(#[^)]*)?\)`)
	filePattern = regexp.MustCompile("`([\\w./-]+\\.go)`")
)

// TestLinks fails on a link to a file that is not there, and where ARCHITECTURE.md names a source file that is not.
func TestLinks(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, path := range sources(t) {
		names[filepath.Base(path)] = true
	}
	eachLine(t, func(at, line string) {
		page, _, _ := strings.Cut(at, ":")
		if !strings.HasSuffix(page, ".md") {
			return
		}
		for _, m := range linkPattern.FindAllStringSubmatch(line, -1) {
			if !strings.Contains(m[1], ":") {
				_, err := os.Stat(filepath.Join(filepath.Dir(page), m[1]))
				assert.NoError(t, err, at)
			}
		}
		if page != "ARCHITECTURE.md" {
			return
		}
		for _, m := range filePattern.FindAllStringSubmatch(line, -1) {
			assert.True(t, names[filepath.Base(m[1])], "%s: there is no %s", at, m[1])
		}
	})
}
