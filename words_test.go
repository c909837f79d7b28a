package argine_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// outOfUse are the words that neither code, comments, help texts nor documents use, with what to write instead. Left is
// how many lines still have one; it only goes down.
var outOfUse = []struct {
	pattern, instead string
	left             int
}{
	{`tells? whether`, "reports whether", 0},
	{`\blest`, "so that ... not", 0},
	{`of no\s+matter`, "does not matter", 0},
	{`those that came`, "a noun: the new entries, the arrivals", 0},
	{`hence|thereby|thus`, "so", 0},
	{`whoever`, "anyone who, a client that, no matter who", 0},
	{`nobody`, "no one, or the sentence without it", 0},
	{`anew`, "again", 0},
	{`who holds`, "who has", 0},
}

// notAWord are the places where one of them is a name: of a mailbox that does not exist, of a user.
var notAWord = regexp.MustCompile("nobody\\.invalid|nobody:x:|\"nobody\"|subscriber remove nobody|http\\.NoBody")

// TestWords fails on words that are out of use, in Go, Markdown and help texts.
func TestWords(t *testing.T) {
	t.Parallel()
	var patterns []string
	for _, w := range outOfUse {
		patterns = append(patterns, w.pattern)
	}
	lines := slices.DeleteFunc(grep(t, `\b(`+strings.Join(patterns, "|")+`)\b`), notAWord.MatchString)
	for _, w := range outOfUse {
		pattern := regexp.MustCompile(`(?i)\b(` + w.pattern + `)\b`)
		var found []string
		for _, line := range lines {
			if _, text, _ := strings.Cut(line, ":"); pattern.MatchString(text) {
				found = append(found, line)
			}
		}
		if len(found) > w.left {
			t.Errorf("%s: write %s; %d lines, and %d are known:\n%s", w.pattern, w.instead, len(found), w.left, strings.Join(found, "\n"))
		}
	}
}

// grep returns the lines of Go and Markdown with a pattern, in any case, and where they are. The list of the words
// themselves is left out.
func grep(t *testing.T, pattern string) (lines []string) {
	t.Helper()
	sources(t)
	out, err := exec.CommandContext(t.Context(), "git", "grep", "-niE", pattern, "--", "*.go", "*.md", ":!words_test.go", ":!CONTRIBUTING.md").Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == 1 {
		return nil // there are none
	}
	require.NoError(t, err)
	return strings.Split(strings.TrimSpace(string(out)), "\n")
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

// stillLong is how many lines of Go are longer than 120 columns; it only goes down.
const stillLong = 0

// TestLineLength fails on more lines of Go than these that are longer than 120 columns. Tests may be wider, and lines with
// a long text in them.
func TestLineLength(t *testing.T) {
	t.Parallel()
	inText := false
	var found []string
	eachLine(t, func(at, line string) {
		line = strings.TrimRight(line, "\n")
		path, number, _ := strings.Cut(at, ":")
		inText = inText && number != "1"
		comment := strings.HasPrefix(strings.TrimLeft(line, "\t"), "// ")
		if !comment && strings.Count(line, "`")%2 == 1 {
			inText = !inText
		}
		if inText || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || utf8.RuneCountInString(line) <= 120 {
			return
		}
		if comment || !strings.ContainsAny(line, "\"`") && !strings.Contains(line, "//") {
			found = append(found, fmt.Sprintf("%s: %d columns", at, utf8.RuneCountInString(line)))
		}
	})
	if len(found) > stillLong {
		t.Errorf("%d lines are long, and %d are known:\n%s", len(found), stillLong, strings.Join(found, "\n"))
	}
}
