package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/cmd/internal/examples"
	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/service"
)

func runCommand(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(args, &out, &errs)
	return code, out.String(), errs.String()
}

// folder makes a folder with settings and a list, and returns the path of the settings.
func folder(t *testing.T, settings string) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "dnsfilter.yaml")
	require.NoError(t, os.WriteFile(path, []byte(settings), 0o600))
	list := "example.com category=test ref=\"order 1\" expires=2999-01-01\n=host.example.net\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "list.txt"), []byte(list), 0o600))
	return path
}

const settings = "state: state\nlists:\n  - {name: local, file: list.txt}\n"

func TestCheck(t *testing.T) {
	t.Parallel()
	path := folder(t, settings)
	code, stdout, stderr := runCommand("check", "-c", path)
	assert.Equal(t, exitDone, code, stderr)
	assert.Empty(t, stdout)
	file := filepath.Join(filepath.Dir(path), "list.txt")
	assert.Regexp(t, "^"+regexp.QuoteMeta("local: argine, 2 entries, file "+file)+"\n"+
		`guards: protected: \d+ built-in names; popular: none; public suffixes: of 20..-..-..`+"\n"+
		regexp.QuoteMeta(path+": no mistakes; 1 lists")+"\n$", stderr)

	strange := folder(t, settings+"  - {name: other, file: other.txt}\n")
	other := "co.uk\na.test\nb.test\nc.test\nd.test\nlabel\nhttps://a.test/x\n"
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(strange), "other.txt"), []byte(other), 0o600))
	code, _, stderr = runCommand("check", "-c", strange)
	assert.Equal(t, exitDone, code, stderr)
	assert.Contains(t, stderr, "other: skipped: a single label: 1, first in lines 6")
	assert.Contains(t, stderr, "other: held: public-suffix: co.uk: ")

	bad := folder(t, "listen: [x]\nlists:\n  - {name: local, file: list.txt, action: explode}\n")
	code, _, stderr = runCommand("check", "-c", bad)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, stderr, bad+":1:10: address \"x\"")
	assert.Contains(t, stderr, bad+":3:43: unknown action \"explode\"")

	missing := folder(t, "lists:\n  - {name: local, file: none.txt}\n")
	code, _, stderr = runCommand("check", "-c", missing)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, stderr, missing+":2:6: ")
}

func TestLookupCommand(t *testing.T) {
	t.Parallel()
	path := folder(t, settings)
	for name, want := range map[string]string{
		"www.example.com":  "www.example.com: nxdomain (list local, entry example.com, category test, reference \"order 1\", expires 2999-01-01T00:00:00Z)\n",
		"host.example.net": "host.example.net: nodata (list local, entry =host.example.net)\n",
		"example.net":      "example.net: pass (on no list)\n",
	} {
		code, stdout, stderr := runCommand("lookup", "-c", path, name)
		assert.Equal(t, exitDone, code, stderr)
		assert.Equal(t, want, stdout)
		assert.Empty(t, stderr)
	}
	code, stdout, _ := runCommand("lookup", "-c", path, "--json", "example.com")
	assert.Equal(t, exitDone, code)
	var d map[string]string
	require.NoError(t, json.Unmarshal([]byte(stdout), &d))
	assert.Equal(t, map[string]string{
		"name": "example.com", "action": "nxdomain", "list": "local", "entry": "example.com", "category": "test",
		"reference": "order 1", "expires": "2999-01-01T00:00:00Z",
	}, d)
	code, stdout, _ = runCommand("lookup", "-c", path, "x.test")
	assert.Equal(t, exitDone, code)
	assert.Equal(t, "x.test: pass (on no list; answered here for zone test)\n", stdout)
	code, _, stderr := runCommand("lookup", "-c", path, "a..b")
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, stderr, "dnsfilter: error: name \"a..b\"")
}

// TestLookupWithoutServer says what the answer rests on, where that is a copy on disk.
func TestLookupWithoutServer(t *testing.T) {
	t.Parallel()
	path := folder(t, settings+"  - {name: ads, url: 'https://lists.example/ads.txt'}\n")
	s, err := config.Read(path)
	require.NoError(t, err)
	file := s.Lists[len(s.Lists)-1].File
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
	require.NoError(t, os.WriteFile(file, []byte("ads.example\n"), 0o600))
	made := time.Now().Add(-26 * time.Hour)
	require.NoError(t, os.Chtimes(file, made, made))
	code, stdout, stderr := runCommand("lookup", "-c", path, "ads.example")
	assert.Equal(t, exitDone, code, stderr)
	assert.Equal(t, "ads.example: nxdomain (list ads, entry ads.example)\n", stdout)
	assert.Contains(t, stderr, "dnsfilter: no server answers; by what is in "+s.State+" of list ads: the file of "+made.UTC().Format(time.RFC3339)+", 26h0m")
	assert.Contains(t, copyText(service.Copy{Serial: 42, Made: made}), "serial 42 of ")
}

func TestLookupExplains(t *testing.T) {
	t.Parallel()
	path := folder(t, settings+"  - {name: other, file: list.txt, categories: {test: nodata}}\n"+
		"quorum: [{lists: [local, other], at_least: 2, action: refused}]\n"+
		"clients: [192.0.2.0/24]\nviews: [{clients: [192.0.2.7], lists: [local]}]\n")
	const held = "  list local, entry example.com, category test, reference \"order 1\", expires 2999-01-01T00:00:00Z\n" +
		"  list other, entry example.com, category test, reference \"order 1\", expires 2999-01-01T00:00:00Z\n"
	for _, c := range []struct{ name, client, first, rest string }{
		{"example.com", "192.0.2.1", "example.com: nodata (list other, entry example.com, ", held},
		{"host.example.net", "192.0.2.1", "host.example.net: refused (quorum/1; first list local, entry =host.example.net)\n", ""},
		{"example.com", "192.0.2.7", "example.com: pass (listed, and no rule for it)\n", held},
	} {
		code, stdout, stderr := runCommand("lookup", "-c", path, "--client", c.client, c.name)
		assert.Equal(t, exitDone, code, stderr)
		assert.Contains(t, stdout, c.first)
		assert.Contains(t, stdout, c.rest)
	}
	_, stdout, _ := runCommand("lookup", "-c", path, "--json", "host.example.net")
	assert.JSONEq(t, `{"name": "host.example.net", "action": "refused", "by": "quorum/1", "list": "local", "entry": "=host.example.net",
		"held": [{"list": "local", "entry": "=host.example.net"}, {"list": "other", "entry": "=host.example.net"}]}`, stdout)
}

func TestUsage(t *testing.T) {
	t.Parallel()
	path := folder(t, settings)
	for _, args := range [][]string{
		{"check"},
		{"lookup", "example.com"},
		{"lookup", "-c", path},
		{"lookup", "-c", path, "a", "b"},
		{"lookup", "-c", path, "--client", "nobody", "example.com"},
		{"serve", "extra"},
		{"serve", "--unknown"},
		{"serve", "--log", "xml"},
		{"serve", "--listen", "nowhere"},
		{"serve", "--upstream", "nowhere"},
		{"launch"},
	} {
		code, stdout, stderr := runCommand(args...)
		assert.Equal(t, exitUsage, code, args)
		assert.Empty(t, stdout, args)
		assert.Contains(t, stderr, "dnsfilter: error: ", args)
		assert.Contains(t, stderr, "dnsfilter: hint: ", args)
	}
	code, _, stderr := runCommand("serve", "-c", filepath.Join(t.TempDir(), "none.yaml"))
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, stderr, "reading settings")
	code, stdout, _ := runCommand("--help")
	assert.Equal(t, exitDone, code)
	assert.Contains(t, stdout, "Exit codes")
}

func TestApplyCommand(t *testing.T) {
	t.Parallel()
	path := folder(t, settings)
	code, _, stderr := runCommand("apply", "-c", path, filepath.Join(filepath.Dir(path), "none.tar"))
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, stderr, "none.tar")
	code, _, stderr = runCommand("apply", "-c", path, path)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, stderr, "malformed")
	code, _, _ = runCommand("apply", "-c", path)
	assert.Equal(t, exitUsage, code)
}

func TestVersion(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := runCommand("--version")
	assert.Equal(t, exitDone, code, stderr)
	assert.Regexp(t, `^dnsfilter \S+ .*built with go1\S*\nformats: argine-release 1, argine-receipt 1\n$`, stdout)
}

func TestManualPages(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	code, stdout, stderr := runCommand("man", dir)
	assert.Equal(t, exitDone, code, stderr)
	assert.Empty(t, stdout)
	text, err := os.ReadFile(filepath.Join(dir, "dnsfilter-serve.1"))
	require.NoError(t, err)
	assert.Contains(t, string(text), `.TH "DNSFILTER-SERVE" "1"`)
	code, _, _ = runCommand("man")
	assert.Equal(t, exitUsage, code)
}

// An unknown command or flag is answered with the one that was probably meant.
func TestUnknownNames(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"serv":             `dnsfilter has no command "serv"; do you mean serve?`,
		"help serv":        `dnsfilter has no command "serv"; do you mean serve?`,
		"check here":       `"here" is too much: dnsfilter check takes no arguments, only flags`,
		"serve --upstraem": `unknown flag: --upstraem; do you mean --upstream?`,
		"completion bsh":   `do you mean bash?`,
	} {
		code, _, stderr := runCommand(strings.Fields(args)...)
		assert.Equal(t, exitUsage, code, args)
		assert.Contains(t, stderr, want, args)
		assert.Contains(t, stderr, "--help shows what it takes", args)
	}
}

// The program takes each example in its help.
func TestExamples(t *testing.T) {
	t.Parallel()
	assert.Empty(t, examples.Check(rootCommand))
}
