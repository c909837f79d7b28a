package origin_test

import (
	"bytes"
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

	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
	"github.com/argine-dns/argine/testdata/longtest"
)

func TestPushOverHTTP(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	server := httptest.NewServer(h.Handler())
	defer server.Close()
	post := func(list string, body io.Reader) (int, string) {
		resp, err := http.Post(server.URL+"/lists/"+list, trust.ContentType, body)
		require.NoError(t, err)
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode, string(text)
	}
	release := h.agency.Release(2, "example.org")
	code, text := post(trusttest.List, bytes.NewReader(h.agency.Bundle(release)))
	assert.Equal(t, http.StatusOK, code)
	assert.Contains(t, text, "serial 2")

	code, _ = post("it.example/other", bytes.NewReader(h.agency.Bundle(h.agency.Release(3, "example.org"))))
	assert.Equal(t, http.StatusForbidden, code)
	code, _ = post(trusttest.List, bytes.NewReader(h.agency.Bundle(h.agency.Release(1, "example.org"))))
	assert.Equal(t, http.StatusConflict, code)
	code, _ = post(trusttest.List, strings.NewReader("hello"))
	assert.Equal(t, http.StatusBadRequest, code)

	h.agency.Threshold = 1
	big := make([]byte, 4<<20) // the answer must arrive although most of the push was never of interest
	code, text = post(trusttest.List, io.MultiReader(bytes.NewReader(h.agency.Bundle(h.agency.Release(4, "example.org"))), bytes.NewReader(big)))
	assert.Equal(t, http.StatusForbidden, code)
	assert.Contains(t, text, "bruno, carla")
}

// A push of which a byte comes now and then is ended: it would hold its connection for hours.
func TestSlowPush(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		whole := h.agency.Bundle(h.agency.Release(1, "example.org"))
		began := time.Now()
		r := httptest.NewRequest(http.MethodPost, "/lists/"+trusttest.List, &slowly{bytes.NewReader(whole)})
		w := httptest.NewRecorder()
		h.Handler().ServeHTTP(w, r)
		assert.Equal(t, http.StatusServiceUnavailable, w.Code)
		assert.Contains(t, w.Body.String(), "too slowly")
		assert.Less(t, time.Since(began), 2*time.Minute)
		assert.NoError(t, h.push(t, h.agency.Release(1, "example.org")))
	})
}

// slowly is a source of a byte every ten seconds.
type slowly struct{ r io.Reader }

func (s *slowly) Read(p []byte) (int, error) {
	time.Sleep(10 * time.Second)
	return s.r.Read(p[:min(len(p), 1)])
}

func TestServeFiles(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	release := h.agency.Release(1, "example.org")
	require.NoError(t, h.push(t, release))
	require.NoError(t, os.WriteFile(filepath.Join(h.dir, "lists", "secret"), []byte("secret"), 0o600))
	handler := h.Handler()
	get := func(method, path string, header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, nil)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}
	base := "/lists/" + trusttest.List + "/"

	timestamp := get("GET", base+"timestamp.json")
	require.Equal(t, http.StatusOK, timestamp.Code)
	assert.Contains(t, timestamp.Header().Get("Cache-Control"), "max-age=2")
	again := get("GET", base+"timestamp.json", "If-None-Match", timestamp.Header().Get("ETag"))
	assert.Equal(t, http.StatusNotModified, again.Code)
	again = get("GET", base+"timestamp.json", "If-Modified-Since", timestamp.Header().Get("Last-Modified"))
	assert.Equal(t, http.StatusNotModified, again.Code)

	root := get("GET", base+"1.root.json")
	assert.Equal(t, h.agency.Roots[0], root.Body.Bytes())
	assert.Contains(t, root.Header().Get("Cache-Control"), "immutable")
	assert.Equal(t, http.StatusNotFound, get("GET", base+"2.root.json").Code)

	spec, err := trust.ParseTargets(release.Targets)
	require.NoError(t, err)
	file := get("GET", base+spec.Files[0].URLPath())
	assert.Equal(t, release.Files[spec.Files[0].Path], file.Body.Bytes())
	head := get("HEAD", base+spec.Files[0].URLPath())
	assert.Equal(t, http.StatusOK, head.Code)
	assert.Empty(t, head.Body.Bytes())

	for _, path := range []string{
		"/", "/online.key", "/lists/", "/lists/secret", "/lists/../online.key", "/lists/%2e%2e/online.key", "/lists/..%2fonline.key",
		base, base + "targets/", base + "targets/../../../../online.key", base + "targets/x", base + "0.root.json", base + "01.root.json",
		base + ".new-timestamp.json", base + "timestamp.json/", "/lists/it.example/none/timestamp.json", "/lists//timestamp.json",
	} {
		w := get("GET", path)
		assert.NotEqual(t, http.StatusOK, w.Code, path)
		assert.NotContains(t, w.Body.String(), "PRIVATE", path)
	}
	assert.NotEqual(t, http.StatusOK, get("PUT", base+"timestamp.json").Code)
	assert.Equal(t, http.StatusOK, get("GET", "/healthz").Code)
}

// Run signs before what was signed expires, and a later timestamp always has a higher version.
func TestRunSignsAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.agency.Expires = time.Now().Add(365 * 24 * time.Hour)
		require.NoError(t, h.push(t, h.agency.Release(1, "example.org")))
		read := func() (ts *trust.Timestamp, snapshot *trust.Snapshot) {
			dir := filepath.Join(h.dir, "lists", filepath.FromSlash(trusttest.List))
			b, err := os.ReadFile(filepath.Join(dir, "timestamp.json"))
			require.NoError(t, err)
			ts, err = trust.ParseTimestamp(b)
			require.NoError(t, err)
			b, err = os.ReadFile(filepath.Join(dir, trust.SnapshotName(ts.Snapshot.Version)))
			require.NoError(t, err)
			snapshot, err = trust.ParseSnapshot(b)
			require.NoError(t, err)
			return ts, snapshot
		}
		first, _ := read()
		go h.Run(t.Context())
		last := first
		for range longtest.Rounds(2, 10) * 24 {
			time.Sleep(time.Hour + time.Second)
			synctest.Wait()
			ts, snapshot := read()
			assert.Greater(t, ts.Version, last.Version)
			assert.Greater(t, time.Until(ts.Expires), 22*time.Hour)
			assert.Greater(t, time.Until(snapshot.Expires), 24*time.Hour)
			last = ts
		}
		time.Sleep(time.Minute)
	})
}

func TestHealthNoticesExpiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		require.NoError(t, h.push(t, h.agency.Release(1, "example.org")))
		health := func() int {
			w := httptest.NewRecorder()
			h.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/healthz", nil))
			return w.Code
		}
		assert.Equal(t, http.StatusOK, health())
		time.Sleep(25 * time.Hour)
		assert.Equal(t, http.StatusServiceUnavailable, health())
	})
}
