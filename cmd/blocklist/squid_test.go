package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
)

const squidList = `blocked.test category=spam ref="order \"2026/17\" <x>"
https://site.test/user/*
https://site.test/p?id=7
192.0.2.0/24
watched.test status=monitor
`

func writeList(t testing.TB, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "list.txt")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// squidAnswers runs the helper on lines.
func squidAnswers(t *testing.T, lines string, args ...string) []string {
	t.Helper()
	var out, errs strings.Builder
	code := run(append([]string{"squid", writeList(t, squidList)}, args...), strings.NewReader(lines), &out, &errs)
	require.Equal(t, exitDone, code, &errs)
	require.Empty(t, errs.String())
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}

func TestSquidHelper(t *testing.T) {
	t.Parallel()
	listed := "OK tag=local message=local"
	asked := []struct{ line, answer string }{
		{"http://www.blocked.test/ -", `OK tag=local message=local%2C%20spam%2C%20order%20%222026%2F17%22%20%3Cx%3E`},
		{"0 http://site.test/user/7 -", "0 " + listed},
		{"17 http://site.test/user/7 -", "17 " + listed},
		{"18446744073709551615 http://site.test/user/7 -", "18446744073709551615 " + listed},
		{"3 http://site.test/ -", "3 ERR"},
		{"4 http://site.test/p?id=7#x", "4 " + listed},
		{"5 site.test:443 CONNECT -", "5 ERR"},
		{"6 192.0.2.7:443 CONNECT -", "6 " + listed},
		{"7 [2001:db8::1]:443 -", "7 ERR"},
		{"8 http://watched.test/ -", "8 ERR tag=local message=local"},
		{"9 ", "9 BH message=there%20is%20no%20URL"},
		{"", "BH message=there%20is%20no%20URL"},
		{"10", "ERR"},
		{"20 ://www.blocked.test:443 CONNECT", `20 OK tag=local message=local%2C%20spam%2C%20order%20%222026%2F17%22%20%3Cx%3E`},
		{"21 ://site.test:443 CONNECT", "21 ERR"},
		{`22 http:\\site.test\user\7 GET`, "22 " + listed},
		{"13 http://site.test/user/7\r", "13 " + listed},
		{"14 http://site.test/user/" + strings.Repeat("a", 60_000), "14 " + listed},
		{"15 http://site.test/user/" + strings.Repeat("a", blocklist.MaxLine), "15 BH message=the%20line%20is%20too%20long"},
		{strings.Repeat("1", 3*blocklist.MaxLine), "BH message=the%20line%20is%20too%20long"},
		{"16 http://site.test/user/7", "16 " + listed},
	}
	var lines strings.Builder
	for _, c := range asked {
		lines.WriteString(c.line + "\n")
	}
	answers := squidAnswers(t, lines.String())
	require.Len(t, answers, len(asked))
	for i, c := range asked {
		assert.Equal(t, c.answer, answers[i], "%.80q", c.line)
	}
}

// TestSquidCannotTell has lines that name no host, or one that no browser takes: they are not let pass.
func TestSquidCannotTell(t *testing.T) {
	t.Parallel()
	lines := []string{
		"-", "%", "http://", "http:", "//site.test:443", "listed.test%00:443", "urn:isbn:1", "\x00\xff\x1b://%zz/", "http://%20site.test/", "http:// site.test/",
		"http://site.test:80:80/", "http://[fe80::1%25eth0]/", "[::1:443", ":443",
	}
	for i, answer := range squidAnswers(t, strings.Join(lines, "\n")+"\n") {
		assert.True(t, strings.HasPrefix(answer, "BH message="), "%q: %s", lines[i], answer)
	}
	for i, answer := range squidAnswers(t, strings.Join(lines, "\n")+"\n", "--redirect", "https://stop.example/why") {
		assert.Equal(t, "OK status=302 url=https%3A%2F%2Fstop.example%2Fwhy", answer, "%q: a rewriter that fails lets pass", lines[i])
	}
}

func TestSquidRedirects(t *testing.T) {
	t.Parallel()
	assert.Equal(t, []string{
		"0 OK status=302 url=https%3A%2F%2Fstop.example%2Fwhy%3Fcategory%3Dspam%26lang%3Dit%26list%3Dlocal%26ref%3Dorder%2B%25222026%252F17%2522%2B%253Cx%253E",
		"1 ERR", "2 ERR", "OK status=302 url=https%3A%2F%2Fstop.example%2Fwhy%3Flang%3Dit%26list%3Dlocal",
	}, squidAnswers(t, `0 http://blocked.test/ 127.0.0.1/- - GET myip=127.0.0.1 myport=3128
1 http://site.test/ 127.0.0.1/- - GET
2 http://watched.test/ 127.0.0.1/- - GET
http://site.test/user/ 127.0.0.1/- - GET
`, "--redirect", "https://stop.example/why?lang=it"))
	var out, errs strings.Builder
	for _, wrong := range []string{"", "stop", "/stop", "http://%zz/"} {
		assert.Equal(t, exitUsage, run([]string{"squid", writeList(t, squidList), "--redirect", wrong}, strings.NewReader(""), &out, &errs), wrong)
	}
}

func TestSquidAnswersAreShort(t *testing.T) {
	t.Parallel()
	path := writeList(t, "blocked.test category=c ref=\""+strings.Repeat("è", 20_000)+"\"\n")
	var out, errs strings.Builder
	require.Equal(t, exitDone, run([]string{"squid", path}, strings.NewReader("http://blocked.test/\n"), &out, &errs), &errs)
	assert.Less(t, out.Len(), 2000)
	assert.True(t, strings.HasSuffix(out.String(), "%C3%A8...\n"), out.String())
}

// A folder that nothing is in yet is waited for; a file that is not there is a mistake.
func TestSquidWaitsForAFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := (&app{stderr: &strings.Builder{}}).openSource(t.Context(), &input{format: "auto"}, dir)
	require.NoError(t, err)
	defer s.end()
	assert.Empty(t, s.Version())
	h := squidHelper{source: s}
	assert.Equal(t, "BH message=there%20is%20nothing%20to%20look%20in%20yet", h.answer("http://blocked.test/"))
	store, err := blocklist.Open(dir, blocklist.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { store.Close() })
	setList := func(line string) {
		require.NoError(t, store.SetLocal("local", line, func(yield func(blocklist.Entry, error) bool) { yield(blocklist.ParseEntry(line)) }))
	}
	setList("blocked.test")
	require.Eventually(t, func() bool { return h.answer("http://blocked.test/") == "OK tag=local message=local" }, time.Minute, 20*time.Millisecond)
	version := s.Version()
	setList("other.test")
	require.Eventually(t, func() bool { return h.answer("http://blocked.test/") == "ERR" }, time.Minute, 20*time.Millisecond)
	assert.NotEqual(t, version, s.Version())

	var out, errs strings.Builder
	assert.Equal(t, exitFailed, run([]string{"squid", filepath.Join(dir, "none")}, strings.NewReader("http://blocked.test/\n"), &out, &errs))
	assert.Empty(t, out.String())
}

func FuzzSquidLines(f *testing.F) {
	s, err := (&app{stderr: &strings.Builder{}}).openSource(f.Context(), &input{format: "auto"}, writeList(f, squidList))
	require.NoError(f, err)
	f.Cleanup(s.end)
	f.Add("1 http://blocked.test/ -\n2 site.test:443\n\nx\n")
	f.Fuzz(func(t *testing.T, text string) {
		var out strings.Builder
		require.NoError(t, squidHelper{source: s}.run(strings.NewReader(text+"\n7 http://blocked.test/\n"), &out))
		require.Equal(t, strings.Count(text, "\n")+2, strings.Count(out.String(), "\n"), "an answer a line")
		for line := range strings.Lines(out.String()) {
			require.Regexp(t, `^(\d{1,20} )?(OK|ERR|BH)( (tag|message)=[!-~]+)*\n$`, line)
		}
		require.Contains(t, out.String(), "\n7 OK ", "the last one is answered, whatever came before")
	})
}
