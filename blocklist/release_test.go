package blocklist_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
)

const vectorDir = "../testdata/vectors"

// vector is one file of testdata/vectors: header lines, an empty line, a release.
type vector struct {
	name, expect, errorText, from string
	head, body                    string
}

func readVector(tb testing.TB, name string) vector {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join(vectorDir, name))
	require.NoError(tb, err)
	v := vector{name: name}
	var ok bool
	v.head, v.body, ok = strings.Cut(string(text), "\n\n")
	require.True(tb, ok, "%s has no empty line", name)
	for line := range strings.SplitSeq(v.head, "\n") {
		key, value, _ := strings.Cut(line, ": ")
		switch key {
		case "comment":
		case "expect":
			v.expect = value
		case "error":
			v.errorText = value
		case "from":
			v.from = value
		default:
			require.Fail(tb, "unknown header", "%s: %q", name, line)
		}
	}
	return v
}

func vectors(tb testing.TB) []vector {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join(vectorDir, "*.txt"))
	require.NoError(tb, err)
	require.NotEmpty(tb, files)
	all := make([]vector, len(files))
	for i, f := range files {
		all[i] = readVector(tb, filepath.Base(f))
	}
	return all
}

// readRelease reads a release to its end, with the state that a delta starts from.
func readRelease(r io.Reader, from blocklist.Header) (h blocklist.Header, changes []blocklist.Change, err error) {
	release, err := blocklist.NewReleaseReader(r)
	if err != nil {
		return h, nil, err
	}
	for c, err := range release.Changes() {
		if err != nil {
			return h, nil, err
		}
		changes = append(changes, c)
	}
	if release.Header().IsDelta() {
		err = release.Yields(from.Digest, from.Entries)
	}
	return release.Header(), changes, err
}

func writeRelease(tb testing.TB, h blocklist.Header, changes []blocklist.Change) string {
	tb.Helper()
	var buf bytes.Buffer
	w, err := blocklist.NewReleaseWriter(&buf, h)
	require.NoError(tb, err)
	for _, c := range changes {
		require.NoError(tb, w.Write(c))
	}
	require.NoError(tb, w.Close())
	return buf.String()
}

func (v vector) base(tb testing.TB) (h blocklist.Header) {
	tb.Helper()
	if v.from != "" {
		var err error
		h, _, err = readRelease(strings.NewReader(readVector(tb, v.from).body), h)
		require.NoError(tb, err)
	}
	return h
}

var update = flag.Bool("update", false, "rewrite entries and digests of the vectors that are to be accepted")

func TestVectors(t *testing.T) {
	classes := map[string]error{"malformed": blocklist.ErrMalformed, "digest": blocklist.ErrDigest, "too large": blocklist.ErrTooLarge}
	for _, v := range vectors(t) {
		t.Run(strings.TrimSuffix(v.name, ".txt"), func(t *testing.T) {
			if v.expect == "ok" {
				acceptVector(t, v)
				return
			}
			class, ok := classes[v.expect]
			require.True(t, ok, "expect: %s", v.expect)
			_, _, err := readRelease(strings.NewReader(v.body), v.base(t))
			require.ErrorIs(t, err, class)
			assert.ErrorContains(t, err, v.errorText)
			require.NotEmpty(t, v.errorText)
		})
	}
}

func acceptVector(t *testing.T, v vector) {
	t.Helper()
	from := v.base(t)
	if *update {
		v = rewriteVector(t, v, from)
	}
	h, changes, err := readRelease(strings.NewReader(v.body), from)
	require.NoError(t, err)
	assert.Equal(t, v.body, writeRelease(t, h, changes))
	_, _, err = readRelease(iotest.OneByteReader(strings.NewReader(v.body)), from)
	require.NoError(t, err)
	for n := range len(v.body) {
		_, _, err := readRelease(strings.NewReader(v.body[:n]), from)
		require.Error(t, err, "cut after %d bytes", n)
	}
	if !h.IsDelta() {
		return
	}
	from.Entries++
	_, _, err = readRelease(strings.NewReader(v.body), from)
	require.ErrorIs(t, err, blocklist.ErrDigest)
}

// rewriteVector puts the right entries and digest into the header, from the lines.
func rewriteVector(t *testing.T, v vector, from blocklist.Header) vector {
	t.Helper()
	head, lines, _ := strings.Cut(v.body, "\n\n")
	h := from
	for line := range strings.Lines(lines) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case v.from != "" && line[0] == '-':
			h.Digest.Remove([]byte(line[1:]))
			h.Entries--
		default:
			h.Digest.Add([]byte(strings.TrimPrefix(line, "+")))
			h.Entries++
		}
	}
	head = regexp.MustCompile(`(?m)^entries: .*`).ReplaceAllString(head, fmt.Sprintf("entries: %d", h.Entries))
	head = regexp.MustCompile(`(?m)^digest: .*`).ReplaceAllString(head, "digest: "+h.Digest.String())
	v.body = head + "\n\n" + lines
	require.NoError(t, os.WriteFile(filepath.Join(vectorDir, v.name), []byte(v.head+"\n\n"+v.body), 0o644))
	return v
}

func TestReleaseLimits(t *testing.T) {
	h := blocklist.Header{List: "it.example/csam", Serial: 1}
	empty := writeRelease(t, h, nil)
	for text, why := range map[string]string{
		empty + strings.Repeat("a", blocklist.MaxLine+1) + "\n":                       "64 KiB",
		strings.Repeat("a", blocklist.MaxLine+10):                                     "64 KiB",
		strings.Replace(empty, "created", strings.Repeat("x", 60000)+"\ncreated", 1):  "header",
		strings.Replace(empty, "csam", strings.Repeat("x", blocklist.MaxListName), 1): "list name",
	} {
		_, _, err := readRelease(strings.NewReader(text), blocklist.Header{})
		assert.ErrorContains(t, err, why)
		assert.Less(t, len(err.Error()), 1000)
	}

	long, err := blocklist.ParseEntry("a.example")
	require.NoError(t, err)
	long.Reference = strings.Repeat("x", blocklist.MaxLine)
	w, err := blocklist.NewReleaseWriter(io.Discard, h)
	require.NoError(t, err)
	require.ErrorIs(t, w.Write(blocklist.Change{Entry: long}), blocklist.ErrTooLarge)
	long.Reference = long.Reference[len("a.example ref="):]
	line := long.String()
	require.Len(t, line, blocklist.MaxLine)
	h.Entries, h.Serial, h.Base = 1, 2, 1
	h.Digest.Add([]byte(line))
	text := writeRelease(t, h, []blocklist.Change{{Entry: long}})
	_, changes, err := readRelease(strings.NewReader(text), blocklist.Header{})
	require.NoError(t, err)
	assert.Len(t, changes, 1)
}

func TestReleaseWriterRefuses(t *testing.T) {
	good := blocklist.Header{List: "it.example/csam", Serial: 2}
	for why, spoil := range map[string]func(*blocklist.Header){
		"list name":       func(h *blocklist.Header) { h.List = "CSAM" },
		"serial 0":        func(h *blocklist.Header) { h.Serial = 0 },
		"base 2":          func(h *blocklist.Header) { h.Base = 2 },
		"too large":       func(h *blocklist.Header) { h.Entries = blocklist.MaxEntries + 1 },
		"created in year": func(h *blocklist.Header) { h.Created = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		h := good
		spoil(&h)
		_, err := blocklist.NewReleaseWriter(io.Discard, h)
		assert.ErrorContains(t, err, why)
	}
	w, err := blocklist.NewReleaseWriter(io.Discard, good)
	require.NoError(t, err)
	entry := blocklist.DomainEntry(mustName(t, "a.example"))
	require.ErrorIs(t, w.Write(blocklist.Change{}), blocklist.ErrMalformed)
	require.NoError(t, w.Write(blocklist.Change{Entry: entry}))
	require.ErrorIs(t, w.Write(blocklist.Change{Entry: entry}), blocklist.ErrMalformed)
}

// What the source ran into is passed on, not taken for the end or for a mistake in the text.
func TestReleaseReaderPassesErrorsOn(t *testing.T) {
	broken := errors.New("broken pipe")
	body := readVector(t, "snapshot.txt").body
	for n := range len(body) {
		source := io.MultiReader(strings.NewReader(body[:n]), iotest.ErrReader(broken))
		_, _, err := readRelease(source, blocklist.Header{})
		require.ErrorIs(t, err, broken, "after %d bytes", n)
	}
}

func TestReleaseReaderStops(t *testing.T) {
	r, err := blocklist.NewReleaseReader(strings.NewReader(readVector(t, "snapshot.txt").body))
	require.NoError(t, err)
	for _, err := range r.Changes() {
		require.NoError(t, err)
		break
	}
	require.ErrorIs(t, r.Yields(blocklist.Digest{}, 0), blocklist.ErrDigest)
}

func TestCheckListName(t *testing.T) {
	for _, name := range []string{"a", "it.example/csam", "a-b.c/1/x/y", strings.Repeat("a", blocklist.MaxListName)} {
		assert.NoError(t, blocklist.CheckListName(name), "%q", name)
	}
	for _, name := range []string{
		"", "/", "a/", "/a", "a//b", "A", "a b", "a_b", "ü", "..", "a/../b", "a..b", ".a", "a.", "-a", "a-", "a/b/c/d/e", `a\b`, "a\x00",
		strings.Repeat("a", blocklist.MaxListName+1),
	} {
		assert.ErrorIs(t, blocklist.CheckListName(name), blocklist.ErrMalformed, "%q", name)
	}
}

func FuzzRelease(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add([]byte(v.body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := blocklist.NewReleaseReader(bytes.NewReader(body))
		if err != nil {
			return
		}
		var changes []blocklist.Change
		for c, err := range r.Changes() {
			if err != nil {
				return
			}
			changes = append(changes, c)
		}
		require.Equal(t, string(body), writeRelease(t, r.Header(), changes))
	})
}
