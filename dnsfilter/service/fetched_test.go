package service_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
	"github.com/argine-dns/argine/dnsfilter/internal/logtest"
	"github.com/argine-dns/argine/dnsfilter/service"
	"github.com/argine-dns/argine/testdata/freeport"
	"github.com/argine-dns/argine/testdata/peers"
)

// listServer is a web server with one list.
type listServer struct {
	*httptest.Server

	handler     atomic.Pointer[http.HandlerFunc]
	notModified atomic.Int32
}

func newListServer(t *testing.T, text string) *listServer {
	t.Helper()
	s := &listServer{}
	s.serves(text)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*s.handler.Load())(w, r) }))
	t.Cleanup(s.Close)
	return s
}

func (s *listServer) answers(h http.HandlerFunc) { s.handler.Store(&h) }

// serves serves a text with an ETag.
func (s *listServer) serves(text string) {
	tag := fmt.Sprintf("%q", fmt.Sprint(len(text), text[:min(len(text), 10)]))
	s.answers(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			s.notModified.Add(1)
			w.WriteHeader(http.StatusNotModified)
			return
		}
		fmt.Fprint(w, text)
	})
}

// fetches has the service fetch its lists now, and waits until done holds of a list.
func (r *running) fetches(t *testing.T, list string, done func(*service.FetchStatus) bool) {
	t.Helper()
	_, err := r.control().Reload(t.Context())
	require.NoError(t, err)
	require.Eventually(t, func() bool { return done(r.list(t, list).Fetch) }, time.Minute, 20*time.Millisecond, r.log)
}

func fails(want string) func(*service.FetchStatus) bool {
	return func(f *service.FetchStatus) bool { return strings.Contains(f.Error, want) }
}

func TestListFromAURL(t *testing.T) {
	t.Parallel()
	server := newListServer(t, "blocked.test\n"+names(200))
	r := newFolder(t, "lists:\n  - {name: ads, url: "+server.URL+", allow_http: on, refresh: 1h}\n")
	s, err := r.read()
	require.NoError(t, err)
	checks, err := service.ReadFiles(s)
	require.NoError(t, err)
	require.Len(t, checks, 1)
	assert.True(t, checks[0].Awaited)

	r.start(t)
	r.becomes(t, "blocked.test.", dns.RcodeNameError)
	status := r.list(t, "ads")
	assert.Equal(t, server.URL, status.Fetch.From)
	assert.EqualValues(t, 1, status.Fetch.Fetched)
	assert.False(t, status.Stale)
	assert.WithinDuration(t, time.Now().Add(24*time.Hour), status.Fetch.Expires, time.Minute)
	assert.WithinDuration(t, time.Now().Add(time.Hour), status.Fetch.Next, 10*time.Minute)
	r.fetches(t, "ads", func(*service.FetchStatus) bool { return server.notModified.Load() == 1 })

	server.serves("other.test\n" + names(200))
	r.fetches(t, "ads", func(f *service.FetchStatus) bool { return f.Fetched == 2 })
	r.becomes(t, "other.test.", dns.RcodeNameError)
	r.becomes(t, "blocked.test.", dns.RcodeSuccess)

	for want, answer := range map[string]http.HandlerFunc{
		"an HTML or XML page": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "<!DOCTYPE html><p>example.org is down</p>\n")
		},
		"unexpected EOF": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "99999")
			fmt.Fprint(w, "cut.test\n"+names(300))
		},
		"the answer is empty": func(http.ResponseWriter, *http.Request) {},
		"503":                 func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "busy", http.StatusServiceUnavailable) },
	} {
		server.answers(answer)
		r.fetches(t, "ads", fails(want))
		assert.Equal(t, dns.RcodeNameError, r.rcode(t, "other.test."), want)
		assert.Equal(t, dns.RcodeSuccess, r.rcode(t, "cut.test."), want)
	}

	server.serves("short.test\n") // whole, and collapsed
	r.fetches(t, "ads", func(f *service.FetchStatus) bool { return f.Error == "" })
	r.holds(t, "ads", "shrink")
	server.Close()
	r.restart(t)
	assert.Equal(t, dns.RcodeNameError, r.rcode(t, "other.test."), "from the disk, at once")
	id := r.holds(t, "ads", "shrink").ID
	r.fetches(t, "ads", fails("connection refused"))
	require.NoError(t, r.control().Accept(t.Context(), "ads", id))
	r.becomes(t, "short.test.", dns.RcodeNameError)

	r.settings(t, "")
	_, err = r.control().Reload(t.Context())
	require.NoError(t, err)
	r.becomes(t, "short.test.", dns.RcodeSuccess)
	assert.NoDirExists(t, filepath.Join(r.dir, "state/fetched/ads"))
}

// TestUnfetchedList starts without the server of a list, and gets it later.
func TestUnfetchedList(t *testing.T) {
	t.Parallel()
	server := newListServer(t, "blocked.test\n")
	server.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		http.Error(w, "later", http.StatusServiceUnavailable)
	})
	r := newFolder(t, "lists:\n  - {name: ads, url: ["+server.URL+"/a, "+server.URL+"/b], allow_http: on}\n")
	r.start(t)
	assert.Equal(t, dns.RcodeSuccess, r.rcode(t, "blocked.test."))
	require.Eventually(t, func() bool { return r.list(t, "ads").Fetch.Failed == 1 }, time.Minute, 20*time.Millisecond)
	status := r.list(t, "ads").Fetch
	assert.WithinDuration(t, time.Now().Add(time.Hour), status.Next, 10*time.Minute, "Retry-After")
	assert.True(t, status.Stale, "nothing is in force, and that is an alarm")
	assert.Contains(t, status.Error, "/a: ")
	assert.Contains(t, status.Error, "/b: ")
	assert.Contains(t, r.log.String(), "could not be fetched so far, and is NOT ENFORCED")
	assert.NotContains(t, r.log.String(), "the last good one")
	server.answers(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/b" {
			fmt.Fprint(w, "blocked.test\n")
			return
		}
		http.NotFound(w, r)
	})
	r.fetches(t, "ads", func(f *service.FetchStatus) bool { return f.From == server.URL+"/b" })
	r.becomes(t, "blocked.test.", dns.RcodeNameError)

	// other settings of the same list: it is fetched at once, and the file before stays until then
	r.settings(t, "lists:\n  - {name: ads, url: "+server.URL+"/c, allow_http: on}\n")
	r.fetches(t, "ads", fails("404"))
	assert.Contains(t, r.log.String(), "could not be fetched; the last good one stays")
	assert.Equal(t, dns.RcodeNameError, r.rcode(t, "blocked.test."))
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "state/fetched/ads/fetch.json"), []byte("{"), 0o600))
	r.restart(t)
	assert.Equal(t, dns.RcodeNameError, r.rcode(t, "blocked.test."))
}

// TestStaleList starts with a list that was fetched long ago, from a server that is gone.
func TestStaleList(t *testing.T) {
	t.Parallel()
	server := newListServer(t, "blocked.test\n")
	r := newFolder(t, "lists:\n  - {name: ads, url: "+server.URL+", allow_http: on}\n")
	r.start(t)
	r.becomes(t, "blocked.test.", dns.RcodeNameError)
	path := filepath.Join(r.dir, "state/fetched/ads/fetch.json")
	var state map[string]any
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &state))
	server.Close()
	require.NoError(t, r.stop())
	state["checked"] = time.Now().Add(-25 * time.Hour)
	text, err = json.Marshal(state)
	require.NoError(t, err)
	r.write(t, "state/fetched/ads/fetch.json", string(text))
	r.log = &logtest.Buffer{}
	r.start(t)
	require.Eventually(t, func() bool { return strings.Contains(r.log.String(), "a list is stale: no server has said") }, time.Minute, 20*time.Millisecond)
	status := r.list(t, "ads")
	assert.True(t, status.Stale)
	assert.True(t, status.Fetch.Stale)
	assert.Equal(t, dns.RcodeNameError, r.rcode(t, "blocked.test."), "it stays in force")
}

// TestListFromNginx fetches a list from a real web server, by its ETag and with gzip.
func TestListFromNginx(t *testing.T) {
	t.Parallel()
	peers.Need(t, "nginx")
	r := newFolder(t, "")
	dir, addr := t.TempDir(), freeport.Addr(t)
	serve := func(text string) {
		path := dnstest.WriteFile(t, dir, "list.txt", text)
		old := time.Now().Add(-time.Hour)
		require.NoError(t, os.Chtimes(path, old, old))
		require.NoError(t, os.Chmod(path, 0o644))
	}
	require.NoError(t, os.Chmod(dir, 0o755))
	serve("blocked.test\n" + names(200))
	dnstest.WriteFile(t, dir, "nginx.conf", fmt.Sprintf(`daemon off; master_process off; pid nginx.pid; error_log stderr;
events {}
http {
	log_format asked '$status $http_if_none_match $sent_http_content_encoding'; access_log access.log asked;
	client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
	gzip on; gzip_types text/plain; types { text/plain txt; }
	server { listen %s; root %s; }
}
`, addr, dir))
	peers.Start(t, dir, "nginx", "-p", dir, "-c", filepath.Join(dir, "nginx.conf"), "-e", "stderr")
	r.settings(t, "lists:\n  - {name: ads, url: http://"+addr+"/list.txt, allow_http: on}\n")
	r.start(t)
	require.Eventually(t, func() bool { return r.list(t, "ads").Fetch.Fetched == 1 || r.list(t, "ads").Fetch.Failed > 0 }, time.Minute, 20*time.Millisecond)
	r.becomes(t, "blocked.test.", dns.RcodeNameError)
	asked := func() string {
		log, err := os.ReadFile(filepath.Join(dir, "access.log"))
		require.NoError(t, err)
		return string(log)
	}
	r.fetches(t, "ads", func(*service.FetchStatus) bool { return strings.Contains(asked(), "304") })
	serve("other.test\n" + names(201))
	r.fetches(t, "ads", func(f *service.FetchStatus) bool { return f.Fetched == 2 })
	r.becomes(t, "other.test.", dns.RcodeNameError)
	assert.Contains(t, asked(), "200 - gzip\n", "the first request")
	assert.Regexp(t, `304 W/\S+ -\n`, asked())
}
