package examples_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/testdata/peers"
)

// TestFetchZone has a server that cuts its first answer about a changed zone. What came of it is not put in place, and its
// tag does not keep the whole zone from being fetched.
func TestFetchZone(t *testing.T) {
	t.Parallel()
	peers.Installed(t, "curl")
	zone, cut := "listed.example CNAME .\n", false
	var answers []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tag, sent := fmt.Sprintf("\"%d\"", len(zone)), len(zone)
		w.Header().Set("Etag", tag)
		switch {
		case r.Header.Get("If-None-Match") == tag:
			answers = append(answers, "unchanged")
			w.WriteHeader(http.StatusNotModified)
			return
		case cut:
			answers = append(answers, "cut")
			sent, cut = sent/2, false
		default:
			answers = append(answers, "whole")
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(zone)))
		_, _ = w.Write([]byte(zone[:sent]))
	}))
	defer server.Close()
	script, err := filepath.Abs("rpz/fetch-zone.sh")
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "csam.zone")
	fetch := func() error { return exec.Command(script, server.URL, file).Run() }
	assertZone := func(want string) {
		read, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Equal(t, want, string(read))
	}

	before := zone
	require.NoError(t, fetch())
	zone, cut = zone+"second.example CNAME .\n", true
	require.Error(t, fetch())
	assertZone(before)
	for range 2 {
		require.NoError(t, fetch())
		assertZone(zone)
	}
	require.NoError(t, os.Remove(file))
	require.NoError(t, fetch())
	assertZone(zone)
	assert.Equal(t, []string{"whole", "cut", "whole", "unchanged", "whole"}, answers)
}
