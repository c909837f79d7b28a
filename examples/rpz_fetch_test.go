package examples_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
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
	publisher := zonePublisher{zone: "listed.example CNAME .\n"}
	server := httptest.NewServer(&publisher)
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

	before := publisher.zone
	require.NoError(t, fetch())
	after := before + "second.example CNAME .\n"
	publisher.replace(after)
	require.Error(t, fetch())
	assertZone(before)
	for range 2 {
		require.NoError(t, fetch())
		assertZone(after)
	}
	require.NoError(t, os.Remove(file))
	require.NoError(t, fetch())
	assertZone(after)
	server.Close()
	assert.Equal(t, []string{"whole", "cut", "whole", "unchanged", "whole"}, publisher.answers)
}

// zonePublisher serves a zone with its ETag, and cuts its first answer after the zone was replaced.
type zonePublisher struct {
	mu      sync.Mutex // curl is another process: what it does orders nothing here
	zone    string
	cut     bool
	answers []string
}

func (p *zonePublisher) replace(zone string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.zone, p.cut = zone, true
}

func (p *zonePublisher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	tag, sent := fmt.Sprintf("\"%d\"", len(p.zone)), len(p.zone)
	w.Header().Set("Etag", tag)
	switch {
	case r.Header.Get("If-None-Match") == tag:
		p.answers = append(p.answers, "unchanged")
		w.WriteHeader(http.StatusNotModified)
		return
	case p.cut:
		p.answers = append(p.answers, "cut")
		sent, p.cut = sent/2, false
	default:
		p.answers = append(p.answers, "whole")
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(p.zone)))
	_, _ = w.Write([]byte(p.zone[:sent]))
}
