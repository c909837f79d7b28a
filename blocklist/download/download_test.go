package download_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/download"
	"github.com/argine-dns/argine/testdata/longtest"
)

// newSource returns a source with the answers of h at /list.
func newSource(t *testing.T, h http.HandlerFunc) (s *download.Source, file func() string) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	s = &download.Source{URLs: []string{server.URL + "/list?token=secret"}, Path: filepath.Join(t.TempDir(), "list")}
	return s, func() string {
		text, err := os.ReadFile(s.Path)
		if err != nil {
			assert.ErrorIs(t, err, os.ErrNotExist)
		}
		left, err := filepath.Glob(filepath.Join(filepath.Dir(s.Path), ".*"))
		assert.NoError(t, err)
		assert.Empty(t, left, "temporary files")
		return string(text)
	}
}

func TestFetch(t *testing.T) {
	t.Parallel()
	body, tag, asked := "a.example\n", `"1"`, 0
	s, file := newSource(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag && tag != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		assert.Equal(t, "gzip", r.Header.Get("Accept-Encoding"))
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		fmt.Fprint(z, body)
		assert.NoError(t, z.Close())
	})
	fetch := func(known download.State, want bool) download.State {
		t.Helper()
		now, replaced, err := s.Fetch(t.Context(), known)
		require.NoError(t, err)
		assert.Equal(t, want, replaced)
		assert.Equal(t, body, file())
		return now
	}
	first := fetch(download.State{}, true)
	assert.Equal(t, first, fetch(first, false), "not modified")
	tag = `"2"`
	second := fetch(first, false)
	assert.Equal(t, first.Digest, second.Digest, "the same content with another ETag")
	body, tag = "b.example\n", ""
	third := fetch(second, true)
	fetch(third, false)
	require.NoError(t, os.Remove(s.Path))
	fetch(third, true)
	assert.Equal(t, 6, asked)
}

// TestWhatIsNoList has answers that never replace a file.
func TestWhatIsNoList(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"cut": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "b.example\n")
		}, "unexpected EOF"},
		"cut later": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000000")
			fmt.Fprint(w, strings.Repeat("b.example\n", 50_000))
		}, "unexpected EOF"},
		"cut chunks": {func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "b.example\n")
			assert.NoError(t, http.NewResponseController(w).Flush())
			panic(http.ErrAbortHandler)
		}, "unexpected EOF"},
		"cut gzip": {func(w http.ResponseWriter, _ *http.Request) {
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			fmt.Fprint(z, "b.example\n")
			assert.NoError(t, z.Close())
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(b.Bytes()[:b.Len()-4])
		}, "unexpected EOF"},
		"empty":     {func(http.ResponseWriter, *http.Request) {}, "the answer is empty"},
		"blank":     {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "\n \r\n") }, "the answer is empty"},
		"page":      {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>b.example") }, "a page"},
		"not found": {http.NotFound, "the answer is 404 Not Found"},
		"busy": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			http.Error(w, "later", http.StatusTooManyRequests)
		}, "the answer is 429 Too Many Requests"},
		"not asked for": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) }, "the answer is 304"},
		"part":          {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusPartialContent) }, "the answer is 206"},
		"loop":          {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/list", http.StatusFound) }, "stopped after 5 redirects"},
		"to a file": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		}, "redirected from http"},
		"control": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "gopher://\x1b[2J", http.StatusFound)
		}, "fetching http"},
	} {
		s, file := newSource(t, c.answer)
		s.Review = func(r io.Reader) error {
			b, err := io.ReadAll(r)
			if bytes.HasPrefix(b, []byte("<")) {
				return errors.New("a page")
			}
			return err
		}
		require.NoError(t, os.WriteFile(s.Path, []byte("a.example\n"), 0o600))
		now, replaced, err := s.Fetch(t.Context(), download.State{Digest: "x"})
		require.ErrorContains(t, err, c.want, name)
		assert.NotContains(t, err.Error(), "secret", name)
		assert.NotContains(t, err.Error(), "\x1b", name)
		assert.False(t, replaced, name)
		assert.Equal(t, download.State{Digest: "x"}, now, name)
		assert.Equal(t, "a.example\n", file(), name)
		if name == "busy" {
			assert.Equal(t, 7*time.Second, download.RetryAfter(err))
		} else {
			assert.Zero(t, download.RetryAfter(err), name)
		}
	}
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Empty(t, r.Header.Get("Referer"))
		fmt.Fprint(w, "a.example\n")
	}))
	defer plain.Close()
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, plain.URL, http.StatusFound)
	}))
	defer secure.Close()
	other, file := newSource(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, plain.URL, http.StatusFound) })
	other.Transport = secure.Client().Transport
	own := other.URLs[0]
	other.URLs = []string{secure.URL}
	_, _, err := other.Fetch(t.Context(), download.State{})
	require.ErrorContains(t, err, `redirected from https to "http"`)
	assert.Empty(t, file())
	other.URLs = []string{secure.URL, own}
	now, replaced, err := other.Fetch(t.Context(), download.State{})
	require.NoError(t, err)
	assert.True(t, replaced)
	assert.Equal(t, own, now.URL, "the second one has answered")
	assert.Equal(t, "a.example\n", file())
}

// slowBody gives one byte at a time.
type slowBody struct{ pause time.Duration }

func (b slowBody) Read(p []byte) (int, error) {
	time.Sleep(b.pause)
	return copy(p, "a"), nil
}

func (slowBody) Close() error { return nil }

type answerOf func(*http.Request) *http.Response

func (f answerOf) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }

func TestSlowAndEndless(t *testing.T) {
	t.Parallel()
	for body, want := range map[io.ReadCloser]string{
		slowBody{5 * time.Second}:   "too slow",
		slowBody{time.Minute}:       "too slow",
		io.NopCloser(repeated('a')): "more than 512 MiB",
	} {
		if want != "too slow" && !longtest.Wanted() {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			s := download.Source{
				URLs: []string{"https://a.example"}, Path: filepath.Join(t.TempDir(), "list"),
				Transport: answerOf(func(r *http.Request) *http.Response {
					return &http.Response{StatusCode: http.StatusOK, Body: body, Request: r}
				}),
			}
			start := time.Now()
			_, _, err := s.Fetch(t.Context(), download.State{})
			require.ErrorContains(t, err, want)
			assert.Less(t, time.Since(start), 3*time.Minute)
			if want != "too slow" {
				assert.ErrorIs(t, err, blocklist.ErrTooLarge)
			}
			assert.NoFileExists(t, s.Path)
		})
	}
}

// repeated is a byte without end.
type repeated byte

func (r repeated) Read(p []byte) (n int, err error) {
	for i := range p {
		p[i] = byte(r)
	}
	return len(p), nil
}
