package argine_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/testdata/longtest"
	"github.com/argine-dns/argine/testdata/peers"
)

var update = flag.Bool("update", false, "write into the pages what their commands print")

// pages are those whose commands are typed.
var pages = []string{"README.md", "cmd/blocklist/README.md", "cmd/dnsfilter/README.md", "examples/README.md"}

// TestDocs types the commands of each page, from the top to the bottom, and compares what they print with what the page
// shows.
//
//	```sh         commands that must succeed; what they print is not shown
//	```console    commands after "$ ", each followed by what it prints; "..." stands for any text, alone on a line for any lines
//	```go         a whole program: it must build
//
// A comment before a fence, which readers do not see, says more:
//
//	<!-- file: NAME -->         the fence, in any language, is written to this file
//	<!-- repository -->         its commands are typed in the repository, instead of the page's own folder
//	<!-- needs a network -->    a reader types it, the test does not
//
// What readers are not to type either is skipped, and says so to them, too, in the line before the fence:
//
//	*Example, not part of the walk: REASON.*
//
// Times, durations, digests, keys ports on loopback and runs of blanks are equal to any others. In commands such ports
// are exchanged for free ones, and 192.0.2.53 for a resolver of the test.
func TestDocs(t *testing.T) {
	if testing.Short() {
		t.Skip("builds both commands and types several pages")
	}
	programs := filepath.Dir(peers.Build(t, "blocklist")) + string(os.PathListSeparator) + filepath.Dir(peers.Build(t, "dnsfilter"))
	for _, path := range pages {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			if path != "README.md" && !*update {
				longtest.Only(t, "it types a whole handbook")
			}
			p := readPage(t, path)
			s := newSession(t, programs, p.text)
			for i := range p.fences {
				s.fence(&p.fences[i])
			}
			if *update {
				require.NoError(t, os.WriteFile(path, []byte(p.String()), 0o644))
			}
		})
	}
}

// page is a Markdown file: what stands between its fences, and the fences.
type page struct {
	text   string
	prose  []string // one more than fences
	fences []fence
}

type fence struct {
	line       int // of its first line
	lang, body string
	file       string
	repository bool
	skip       string
}

var (
	fencePattern = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")
	notePattern  = regexp.MustCompile(`(?:^|\n)(?:<!-- (.*?)(?:: (.*?))? -->|\*Example, not part of the walk: (.+)\.\*)\s*$`)
)

func readPage(t *testing.T, path string) *page {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	p := &page{text: string(text)}
	end := 0
	for _, m := range fencePattern.FindAllStringSubmatchIndex(p.text, -1) {
		f := fence{line: strings.Count(p.text[:m[0]], "\n") + 2, lang: p.text[m[2]:m[3]], body: p.text[m[4]:m[5]]}
		prose := p.text[end:m[4]]
		assert.True(t, f.note(strings.TrimSuffix(prose, "```"+f.lang+"\n")), "%s:%d: the comment before the fence is not known", path, f.line)
		assert.NotEmpty(t, f.lang, "%s:%d: the fence has no language; text is one", path, f.line)
		p.prose, p.fences, end = append(p.prose, prose), append(p.fences, f), m[5]
	}
	p.prose = append(p.prose, p.text[end:])
	return p
}

// note reads the comment at the end of what stands before the fence, or the line that calls it an example. It returns
// false if the comment is not known.
func (f *fence) note(before string) bool {
	m := notePattern.FindStringSubmatch(before)
	if m == nil {
		return true
	}
	switch f.skip = m[3]; m[1] {
	case "":
	case "repository":
		f.repository = true
	case "file":
		f.file = m[2]
	case "needs a network":
		f.skip = m[1]
	default:
		return false
	}
	return true
}

func (p *page) String() string {
	var b strings.Builder
	for i, f := range p.fences {
		b.WriteString(p.prose[i])
		b.WriteString(f.body)
	}
	b.WriteString(p.prose[len(p.fences)])
	return b.String()
}

// step is a command with what the page shows that it prints.
type step struct {
	line           int
	command, shown string
	silent         bool // nothing is shown, as the fence has commands only
}

// steps are the commands of a fence. In one of the language console a command begins with "$ " and is followed by what
// it prints. A command goes on after a backslash, and until the end of a here-document.
func (f *fence) steps() []step {
	var steps []step
	var until string
	goesOn, console := false, f.lang == "console"
	for i, line := range strings.SplitAfter(f.body, "\n") {
		typed, begins := strings.CutPrefix(line, "$ ")
		last := len(steps) - 1
		switch {
		case goesOn:
			steps[last].command += line
		case console && begins:
			steps = append(steps, step{line: f.line + i, command: typed})
		case !console && strings.TrimSpace(line) != "":
			steps = append(steps, step{line: f.line + i, command: line, silent: true})
		case last >= 0:
			steps[last].shown += line
			continue
		default:
			continue
		}
		if m := herePattern.FindStringSubmatch(line); m != nil && until == "" {
			until = m[1]
		} else if strings.TrimSpace(line) == until {
			until = ""
		}
		goesOn = until != "" || strings.HasSuffix(line, "\\\n")
	}
	return steps
}

var herePattern = regexp.MustCompile(`<<-? ?'?(\w+)'?`)

// matches reports whether a program has printed what the page shows.
func matches(shown, printed string) bool {
	var pattern bytes.Buffer
	for line := range strings.Lines(same(shown)) {
		if strings.TrimSpace(line) == "..." {
			pattern.WriteString(`(?:.*\n)*`)
			continue
		}
		pattern.WriteString(strings.ReplaceAll(regexp.QuoteMeta(line), `\.\.\.`, ".*"))
	}
	return regexp.MustCompile(`^` + pattern.String() + `$`).MatchString(same(printed))
}

// differing are the patterns of what is another one in each run.
var differing = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?(Z| UTC)?`), "TIME"},
	{regexp.MustCompile(`\d+(\.\d+)? ?([mµn]?s|min)\b|\b\d+m\d+(\.\d+)?s\b`), "DURATION"},
	{regexp.MustCompile(`\b([0-9a-f]{4} ){5}[0-9a-f]{4}\b`), "FINGERPRINT"},
	{regexp.MustCompile(`\b[0-9a-f]{8,64}\b|[A-Za-z0-9+/]{40,}=*`), "DIGEST"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "ADDRESS"},
	{regexp.MustCompile(`\bgo1\.\d+(\.\d+)?|\(devel\)|v\d+\.\d+\.\d+(-\S+)?`), "VERSION"},
	{regexp.MustCompile(`[ \t]+\n`), "\n"},
	{regexp.MustCompile(`[ \t]+`), " "},
}

func same(text string) string {
	for _, d := range differing {
		text = d.pattern.ReplaceAllString(text, d.with)
	}
	return text
}

// What dnsfilter/bench/README.md has measured is the same on the other pages.
func TestFigures(t *testing.T) {
	read := func(path string) string { return readPage(t, path).text }
	bench, front, handbook := read("dnsfilter/bench/README.md"), strings.ReplaceAll(read("README.md"), "*", ""), read("cmd/dnsfilter/README.md")
	for _, name := range []string{"dnsfilter", "unbound", "dnsdist"} {
		m := regexp.MustCompile(`(?m)^\| ` + name + ` \| ([\d.]+) \| [\d.]+ \| ([\d.]+) \| ([\d.]+) \| [\d.]+ \| (\d+) \| \d+ \|$`).FindStringSubmatch(bench)
		require.NotNil(t, m, name)
		row := fmt.Sprintf("| %s | %s | %s | %s | %s MB |\n", name, m[1], m[2], m[3], m[4])
		assert.Contains(t, front, row)
	}
	kept := regexp.MustCompile(`(?m)^\| (\w+) \| (DoT|DoH, HTTP/2) \| [\d.]+ \| ([\d.]+) \|$`).FindAllStringSubmatch(bench, -1)
	require.Len(t, kept, 6)
	for _, m := range kept {
		assert.Contains(t, handbook, " "+m[3]+" µs", "%s over %s", m[1], m[2])
	}
}

func TestDocsHelpers(t *testing.T) {
	f := fence{line: 10, lang: "console", body: "$ one \\\n  two\nout\n$ cat <<EOF\nx\nEOF\n$ three\n"}
	assert.Equal(t, []step{
		{line: 10, command: "one \\\n  two\n", shown: "out\n"},
		{line: 13, command: "cat <<EOF\nx\nEOF\n"},
		{line: 16, command: "three\n"},
	}, f.steps())
	f = fence{line: 11, lang: "sh", body: "one \\\n  two\ncat <<EOF\nx\nEOF\nthree\n"}
	assert.Len(t, f.steps(), 3)
	assert.True(t, matches("a\n...\nserial 3 at 2026-01-02, ... done\n", "a\nb\nc\nserial 3 at 2027-02-03T10:11:12Z,   well done\n"))
	assert.False(t, matches("serial 3\n", "serial 4\n"))
	assert.False(t, matches("", "more\n"))
	f = fence{}
	assert.True(t, f.note("It needs one:\n\n*Example, not part of the walk: needs a router.*\n\n"))
	assert.Equal(t, "needs a router", f.skip)
	assert.False(t, f.note("A comment hides from readers that it is skipped.\n\n<!-- not run: needs a router -->\n"))
	assert.True(t, (&fence{}).note("A sentence with *stress.*\n\n"))
	for _, path := range pages {
		p := readPage(t, path)
		assert.Equal(t, p.text, p.String())
	}
}
