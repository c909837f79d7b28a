package main

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/blocktest"
)

// program is a lookup that answers lines, and the program that asks it.
type program struct {
	t    *testing.T
	in   *io.PipeWriter
	out  *bufio.Scanner
	errs strings.Builder
	code chan int
}

func startLookup(t *testing.T, path string) *program {
	t.Helper()
	in, ask := io.Pipe()
	answers, out := io.Pipe()
	p := &program{t: t, in: ask, out: bufio.NewScanner(answers), code: make(chan int, 1)}
	go func() {
		code := run([]string{"lookup", path, "-"}, in, out, &p.errs)
		out.Close()
		p.code <- code
	}()
	return p
}

// ask waits for the answer to one line before it asks the next.
func (p *program) ask(line string) map[string]any {
	p.t.Helper()
	_, err := io.WriteString(p.in, line+"\n")
	require.NoError(p.t, err)
	require.True(p.t, p.out.Scan(), &p.errs)
	var answer map[string]any
	require.NoError(p.t, json.Unmarshal(p.out.Bytes(), &answer))
	return answer
}

func (p *program) end() int {
	p.in.Close()
	return <-p.code
}

func TestLookupAnswersLines(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "list.txt")
	require.NoError(t, os.WriteFile(path, []byte("example.com category=spam ref=2026/17\nhttps://site.test/a/* status=monitor\n192.0.2.0/24\n"), 0o600))
	p := startLookup(t, path)
	assert.Equal(t, map[string]any{
		"query": "www.Example.com.", "listed": true, "list": "local", "target": "example.com", "scope": "domain",
		"category": "spam", "ref": "2026/17", "status": "block",
	}, p.ask("www.Example.com."))
	assert.Equal(t, map[string]any{"query": "example.org", "listed": false}, p.ask("example.org"))
	assert.Equal(t, "monitor", p.ask("http://site.test/a/b?<c>&d\r")["status"])
	assert.Equal(t, true, p.ask("192.0.2.7")["listed"])
	assert.Equal(t, true, p.ask(`http:\\www.example.com\p`)["listed"], "as browsers read it")
	assert.Equal(t, true, p.ask("www.example.com:443")["listed"])
	for _, wrong := range []string{"", "a b", "http://", "http://%20example.com/", strings.Repeat("a", blocklist.MaxLine), strings.Repeat("a", 3*blocklist.MaxLine)} {
		answer := p.ask(wrong)
		assert.NotEmpty(t, answer["error"])
		assert.NotContains(t, answer, "listed")
	}
	assert.Equal(t, true, p.ask("example.com")["listed"], "after all that")
	assert.Equal(t, exitDone, p.end())
}

func TestLookupAnswersManyLinesAndALastOne(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "list.txt")
	require.NoError(t, os.WriteFile(path, []byte("example.com\n"), 0o600))
	var out, errs strings.Builder
	lines := strings.Repeat("example.com\nexample.org\n", 5000) + "www.example.com"
	require.Equal(t, exitDone, run([]string{"lookup", path, "-"}, strings.NewReader(lines), &out, &errs), &errs)
	assert.Equal(t, 10001, strings.Count(out.String(), "\n"))
	assert.Equal(t, 5001, strings.Count(out.String(), `"listed":true`))
	assert.True(t, strings.HasSuffix(out.String(), "\"status\":\"block\"}\n"))
}

func TestLookupFollowsChanges(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "list.txt")
	write := func(text string) { require.NoError(t, os.WriteFile(file, []byte(text), 0o600)) }
	write("example.com\n")
	dir := t.TempDir()
	store, err := blocklist.Open(dir, blocklist.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { store.Close() })
	blocktest.SetList(t, store, "local", "example.com")

	inFile, inStore := startLookup(t, file), startLookup(t, dir)
	becomes := func(p *program, name string) {
		t.Helper()
		require.Eventually(t, func() bool { return p.ask(name)["listed"] == true }, time.Minute, 100*time.Millisecond, name)
	}
	becomes(inFile, "example.com")
	becomes(inStore, "example.com")
	write("example.org\n")
	blocktest.SetList(t, store, "local", "example.org")
	becomes(inFile, "example.org")
	becomes(inStore, "example.org")
	assert.Equal(t, false, inStore.ask("example.com")["listed"])

	write("<html>\n<p>no list\n")
	time.Sleep(2100 * time.Millisecond)
	assert.Equal(t, true, inFile.ask("example.org")["listed"], "the last good list stays")
	assert.Equal(t, []int{exitDone, exitDone}, []int{inFile.end(), inStore.end()})
	assert.Contains(t, inFile.errs.String(), "the answers stay as they were")
	assert.Empty(t, inStore.errs.String())
}

func TestLookupCannotBegin(t *testing.T) {
	t.Parallel()
	for _, path := range []string{filepath.Join(t.TempDir(), "none"), t.TempDir(), "-"} {
		var out, errs strings.Builder
		assert.Equal(t, exitUsage, run([]string{"lookup", path, "-"}, strings.NewReader("example.com\n"), &out, &errs))
		assert.Empty(t, out.String())
		assert.NotEmpty(t, errs.String())
	}
}

func FuzzAnswerLines(f *testing.F) {
	path := filepath.Join(f.TempDir(), "list.txt")
	require.NoError(f, os.WriteFile(path, []byte("example.com\nhttps://site.test/a\n"), 0o600))
	a := &app{}
	l, err := a.openLists(f.Context(), &input{format: "auto"}, path)
	require.NoError(f, err)
	f.Add("example.com\nhttps://site.test/a?b\n192.0.2.1\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		var out strings.Builder
		require.NoError(t, lineLookup{l}.run(strings.NewReader(text), &out))
		want := strings.Count(text, "\n")
		if !strings.HasSuffix(text, "\n") && text != "" {
			want++
		}
		n := 0
		for line := range strings.Lines(out.String()) {
			require.True(t, json.Valid([]byte(line)), "%q", line)
			n++
		}
		require.Equal(t, want, n)
	})
}
