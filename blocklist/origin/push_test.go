package origin_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/notekey"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
	"github.com/argine-dns/argine/blocklist/origin"
)

// countingReader counts what is read of it.
type countingReader struct {
	r io.Reader
	n int
}

func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += n
	return n, err
}

// Of a stranger's chain of roots nothing is read behind the first one that is not the trusted one, and nothing is
// verified.
func TestStrangersRoots(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	require.NoError(t, h.push(t, h.agency.Release(1, "example.org")))
	stranger := trusttest.NewAgency(t, h.agency.Online)
	stranger.Officers, stranger.Roots = []trusttest.Person{trusttest.NewPerson("eva"), trusttest.NewPerson("finn")}, nil
	for range 20 {
		stranger.Rotate()
	}
	body := &countingReader{r: bytes.NewReader(stranger.Bundle(stranger.Release(2, "example.net")))}
	_, err := h.Accept(t.Context(), body)
	require.ErrorIs(t, err, blocklist.ErrUntrusted)
	assert.Less(t, body.n, len(stranger.Roots[0])+2<<10)

	mixed := *h.agency // the trusted root, and then those of others
	mixed.Roots = append([][]byte{h.agency.Roots[0]}, stranger.Roots[1:]...)
	body = &countingReader{r: bytes.NewReader(mixed.Bundle(h.agency.Release(2, "example.net")))}
	_, err = h.Accept(t.Context(), body)
	require.ErrorIs(t, err, blocklist.ErrUntrusted)
	assert.Less(t, body.n, 3*len(stranger.Roots[0])+3<<10)
}

// A push for a list that is not trusted here is not read at all.
func TestPushForUnknownLists(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for list, code := range map[string]int{"it.example/none": http.StatusForbidden, "it.example/..": http.StatusBadRequest, "receipts": http.StatusForbidden} {
		answer := httptest.NewRecorder()
		body := &countingReader{r: strings.NewReader(strings.Repeat("x", 100))}
		r := httptest.NewRequest(http.MethodPost, "/lists/x", body)
		r.URL.Path = "/lists/" + list
		h.Handler().ServeHTTP(answer, r)
		if answer.Code != http.StatusMovedPermanently && answer.Code != http.StatusTemporaryRedirect { // of the multiplexer, for dots
			assert.Equal(t, code, answer.Code, list)
		}
	}
}

// An origin that began with a later root gets those before with a push, and publishes them only if they lead to its
// own.
func TestEarlyRoots(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]func(*house) []byte{
		"genuine": func(h *house) []byte { return h.agency.Roots[0] },
		"a stranger's": func(h *house) []byte {
			a := *h.agency
			a.Officers, a.Roots = []trusttest.Person{trusttest.NewPerson("eva"), trusttest.NewPerson("finn")}, nil
			a.Rotate()
			return a.Roots[0]
		},
		"no root": func(*house) []byte { return []byte("{}") },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			public, err := origin.Init(dir)
			require.NoError(t, err)
			online, err := notekey.Parse(public)
			require.NoError(t, err)
			o, err := origin.Open(dir, origin.Options{})
			require.NoError(t, err)
			h := &house{o, dir, trusttest.NewAgency(t, online)}
			h.agency.Rotate()
			h.agency.Rotate()
			_, err = o.Trust(h.agency.Roots[1])
			require.NoError(t, err)
			answer := httptest.NewRecorder()
			pushed := *h.agency
			pushed.Roots = append([][]byte{first(h)}, h.agency.Roots[1:]...)
			body := bytes.NewReader(pushed.Bundle(h.agency.Release(1, "example.org")))
			h.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/lists/"+trusttest.List, body))
			got, err := os.ReadFile(filepath.Join(dir, "lists", filepath.FromSlash(trusttest.List), "1.root.json"))
			if name != "genuine" {
				assert.Contains(t, []int{http.StatusForbidden, http.StatusBadRequest}, answer.Code, answer.Body)
				assert.ErrorIs(t, err, os.ErrNotExist)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, http.StatusOK, answer.Code, answer.Body)
			assert.Equal(t, h.agency.Roots[0], got)
		})
	}
}

// Pushes of which no one knows yet who sends them are few at a time; who comes too many is told to come again.
func TestPushesAtATime(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	const waiting = 8
	read := make(chan struct{}, waiting) // a push that is read has its place
	handler := h.Handler()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = &readSignal{ReadCloser: r.Body, read: read}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	ctx, cancel := context.WithCancel(t.Context())
	bundle := h.agency.Bundle(h.agency.Release(1, "example.org"))
	ended := make(chan error, waiting)
	var bodies []*io.PipeWriter
	for range waiting {
		in, out := io.Pipe()
		bodies = append(bodies, out)
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/lists/"+trusttest.List, in)
		require.NoError(t, err)
		go func() {
			resp, err := http.DefaultClient.Do(r)
			if err == nil {
				err = errors.Join(errors.New(resp.Status), resp.Body.Close())
			}
			ended <- err
		}()
		_, err = out.Write(bundle[:600])
		require.NoError(t, err)
	}
	push := func() (code int, retry string) {
		resp, err := http.Post(server.URL+"/lists/"+trusttest.List, trust.ContentType, bytes.NewReader(bundle))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode, resp.Header.Get("Retry-After")
	}
	for range waiting {
		<-read
	}
	code, retry := push()
	assert.Equal(t, http.StatusServiceUnavailable, code)
	assert.Equal(t, "10", retry)
	cancel()
	for _, body := range bodies {
		body.CloseWithError(context.Canceled)
	}
	for range waiting {
		assert.ErrorIs(t, <-ended, context.Canceled)
	}
	require.Eventually(t, func() bool { code, _ := push(); return code == http.StatusOK }, time.Minute, 10*time.Millisecond)
}

// readSignal is a body that signals its first read.
type readSignal struct {
	io.ReadCloser
	once sync.Once
	read chan<- struct{}
}

func (b *readSignal) Read(p []byte) (int, error) {
	b.once.Do(func() {
		select {
		case b.read <- struct{}{}:
		default: // enough were read
		}
	})
	return b.ReadCloser.Read(p)
}

// drip is a body that comes byte by byte.
type drip struct{ io.Reader }

func (d drip) Read(b []byte) (int, error) {
	time.Sleep(time.Second)
	return d.Reader.Read(b[:1])
}

// The documents of a push have a minute, however steadily they come.
func TestDrippingPush(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.agency.Expires = time.Now().Add(1000 * time.Hour)
		var body bytes.Buffer
		tw := tar.NewWriter(&body)
		require.NoError(t, tw.WriteHeader(&tar.Header{Name: "1.root.json", Size: 60_000, Mode: 0o644, Typeflag: tar.TypeReg}))
		_, err := tw.Write(make([]byte, 60_000))
		require.NoError(t, err)
		answer := httptest.NewRecorder()
		began := time.Now()
		h.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/lists/"+trusttest.List, drip{&body}))
		assert.Less(t, time.Since(began), 70*time.Second)
		assert.Equal(t, http.StatusServiceUnavailable, answer.Code)
		assert.Contains(t, answer.Body.String(), "too slowly")
	})
}
