package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReverseProxy(t *testing.T) {
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host+r.URL.Path) }))
	t.Cleanup(back.Close)
	list := filepath.Join(t.TempDir(), "list.txt")
	require.NoError(t, os.WriteFile(list, []byte("https://site.example/user/7 ref=2026/17\nblocked.example\n"), 0o600))
	set, err := compile(list)
	require.NoError(t, err)
	target, err := url.Parse(back.URL)
	require.NoError(t, err)
	front := httptest.NewServer(handler(set, target))
	t.Cleanup(front.Close)

	for at, want := range map[string]string{
		"site.example/user/7":  "Reference<dd>2026/17",
		"site.example/user/8":  "site.example/user/8",
		"www.blocked.example/": "Unavailable For Legal Reasons",
	} {
		u, err := url.Parse("http://" + at)
		require.NoError(t, err)
		r, err := http.NewRequest("GET", front.URL+u.Path, nil)
		require.NoError(t, err)
		r.Host = u.Host
		got, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		body, err := io.ReadAll(got.Body)
		require.NoError(t, err)
		require.NoError(t, got.Body.Close())
		assert.Contains(t, string(body), want)
	}
}

func TestRunEnds(t *testing.T) {
	require.Error(t, run(t.Context(), "127.0.0.1:0", "http://127.0.0.1:1", "nowhere.txt"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, run(ctx, "127.0.0.1:0", "http://127.0.0.1:1", "../../testdata/lists/demo.txt"))
}
