package httpfilter_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/blocktest"
	"github.com/argine-dns/argine/blocklist/httpfilter"
)

var _ httpfilter.List = (*blocklist.Set)(nil)

func newFilter(t testing.TB) httpfilter.Filter {
	t.Helper()
	return httpfilter.Filter{List: blocktest.NewStore(t,
		"blocked.test category=spam ref=\"<2026/17>\"", "=alone.test", "https://site.test/user/*", "https://site.test/p?id=7", "192.0.2.0/24", "2001:db8::/32",
		"watched.test status=monitor",
	)}
}

// get asks a handler as a server would: with the request's target as it stands.
func get(t testing.TB, h http.Handler, method, target, host string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	if host != "" {
		r.Host, r.URL.Host = host, ""
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestHandlerRefusesWhatIsListed(t *testing.T) {
	t.Parallel()
	h := newFilter(t).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m, ok := httpfilter.MatchOf(r)
		assert.Equal(t, ok, m.Monitor, "only what monitors gets here")
		w.WriteHeader(http.StatusNoContent)
	}))
	for _, c := range []struct {
		target, host string
		listed       bool
	}{
		{"/", "www.blocked.test", true},
		{"/", "WWW.Blocked.Test.:8080", true},
		{"/", "unblocked.test", false},
		{"/", "alone.test", true},
		{"/", "a.alone.test", false},
		{"/user/7", "site.test", true},
		{"/us%65r/7?x", "site.test", true},
		{"/a/../user", "site.test", true},
		{"//user", "site.test", true},
		{"/users", "site.test", false},
		{"/p?id=7", "site.test", true},
		{"/p?id=8", "site.test", false},
		{"/p", "site.test", false},
		{"/", "192.0.2.7", true},
		{"/", "192.0.2.7:80", true},
		{"/", "198.51.100.7", false},
		{"/", "[2001:db8::7]:80", true},
		{"/", "watched.test", false},
		{"http://blocked.test/a", "", true},
		{"http://site.test/", "", false},
	} {
		got := get(t, h, "GET", c.target, c.host)
		want := http.StatusNoContent
		if c.listed {
			want = http.StatusUnavailableForLegalReasons
		}
		assert.Equal(t, want, got.Code, "%s %s", c.host, c.target)
	}
}

// A CONNECT shows the host alone: entries of paths say nothing about it.
func TestConnect(t *testing.T) {
	t.Parallel()
	h := newFilter(t).Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for host, status := range map[string]int{
		"www.blocked.test:443": 451, "alone.test:443": 451, "192.0.2.7:443": 451, "[2001:db8::7]:443": 451, "site.test:443": 200, "watched.test:443": 200,
	} {
		r := httptest.NewRequest(http.MethodConnect, "http://"+host, nil)
		r.URL = &url.URL{Host: host}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		assert.Equal(t, status, w.Code, host)
	}
}

func TestRefusal(t *testing.T) {
	t.Parallel()
	f := newFilter(t)
	f.BlockedBy = "https://isp.example/blocking"
	h := f.Handler(http.NotFoundHandler())

	r := get(t, h, "GET", "/", "blocked.test", "Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
	assert.Equal(t, "text/html; charset=utf-8", r.Header().Get("Content-Type"))
	assert.Equal(t, `<https://isp.example/blocking>; rel="blocked-by"`, r.Header().Get("Link"))
	assert.Equal(t, "no-store", r.Header().Get("Cache-Control"))
	assert.Contains(t, r.Body.String(), "&lt;2026/17&gt;")
	assert.Contains(t, r.Body.String(), blocktest.List)

	r = get(t, h, "POST", "/", "blocked.test", "Accept", "text/html;q=0.5", "Accept", "application/json")
	assert.Equal(t, "application/json", r.Header().Get("Content-Type"))
	var told map[string]any
	require.NoError(t, json.NewDecoder(r.Body).Decode(&told))
	assert.Equal(t, map[string]any{
		"status": 451.0, "title": "Unavailable For Legal Reasons", "list": blocktest.List, "category": "spam", "ref": "<2026/17>",
	}, told)

	r = get(t, h, "HEAD", "/", "blocked.test")
	assert.Empty(t, r.Body.String())
	assert.Equal(t, 451, r.Code)

	for _, accept := range []string{"", "*/*", "application/json;q=0.1,text/html", ";;", "application/json;q=0"} {
		r := get(t, newFilter(t).Handler(nil), "GET", "/", "blocked.test", "Accept", accept)
		assert.Equal(t, "text/html; charset=utf-8", r.Header().Get("Content-Type"), accept)
		assert.Empty(t, r.Header().Get("Link"))
	}
}

func TestOwnRefusal(t *testing.T) {
	t.Parallel()
	f := newFilter(t)
	f.Refusal = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m, ok := httpfilter.MatchOf(r)
		assert.True(t, ok)
		http.Error(w, m.Entry(), http.StatusForbidden)
	})
	r := get(t, f.Handler(nil), "GET", "/user/8", "site.test")
	assert.Equal(t, 403, r.Code)
	assert.Equal(t, "https://site.test/user/*\n", r.Body.String())
}

// A refusal of one's own that writes no status is one all the same.
func TestOwnRefusalWithoutStatus(t *testing.T) {
	t.Parallel()
	for _, write := range []func(http.ResponseWriter){
		func(w http.ResponseWriter) { io.WriteString(w, "no") },
		func(http.ResponseWriter) {},
		func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() },
		func(w http.ResponseWriter) { w.WriteHeader(http.StatusEarlyHints); io.WriteString(w, "no") },
	} {
		f := newFilter(t)
		f.Refusal = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { write(w) })
		front := httptest.NewServer(f.Handler(nil))
		answer := exchange(t, front.Listener.Addr().String(), "GET / HTTP/1.1\r\nHost: blocked.test\r\nConnection: close\r\n\r\n")
		assert.Contains(t, answer, "HTTP/1.1 451 ")
		assert.NotContains(t, answer, " 200 ")
		front.Close()
		resp, err := f.Transport(server(t)).RoundTrip(httptest.NewRequest("GET", "http://blocked.test/", nil))
		require.NoError(t, err)
		assert.Equal(t, http.StatusUnavailableForLegalReasons, resp.StatusCode)
		assert.NoError(t, resp.Body.Close())
	}
}

// server stands for all hosts, at one address.
func server(t testing.TB) *http.Transport {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if to := r.URL.Query().Get("to"); to != "" {
			http.Redirect(w, r, to, http.StatusFound)
			return
		}
		io.Copy(w, r.Body)
		io.WriteString(w, "here is "+r.Host+r.URL.Path)
	}))
	t.Cleanup(s.Close)
	return &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return url.Parse(s.URL) }}
}

func TestTransport(t *testing.T) {
	t.Parallel()
	client := http.Client{Transport: newFilter(t).Transport(server(t))}
	for target, listed := range map[string]bool{
		"http://example.org/": false, "http://www.blocked.test/": true, "http://site.test/user/": true, "http://site.test/": false,
		"http://example.org/?to=http://blocked.test/": true, "http://watched.test/": false, "http://192.0.2.1/": true,
	} {
		r, err := client.Post(target, "text/plain", strings.NewReader(""))
		require.NoError(t, err, target)
		body, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		require.NoError(t, r.Body.Close())
		m, ok := httpfilter.MatchOf(r.Request)
		assert.Equal(t, listed, ok && !m.Monitor, target)
		assert.Equal(t, strings.Contains(target, "watched"), m.Monitor)
		if listed {
			assert.Equal(t, "451 Unavailable For Legal Reasons", r.Status, target)
			assert.Equal(t, int64(len(body)), r.ContentLength)
		} else {
			assert.Equal(t, "200 OK", r.Status, target)
			assert.Contains(t, string(body), "here is")
		}
	}
}

// A request can go to one host and name another.
func TestTransportLooksAtBothHosts(t *testing.T) {
	t.Parallel()
	rt := newFilter(t).Transport(server(t))
	for _, c := range [][2]string{{"blocked.test", "example.org"}, {"example.org", "blocked.test"}, {"watched.test", "blocked.test"}} {
		r, err := http.NewRequest("GET", "http://"+c[0]+"/", nil)
		require.NoError(t, err)
		r.Host = c[1]
		got, err := rt.RoundTrip(r)
		require.NoError(t, err)
		assert.Equal(t, 451, got.StatusCode, c)
		require.NoError(t, got.Body.Close())
	}
}

type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }

func TestTransportClosesTheBody(t *testing.T) {
	t.Parallel()
	body := &closing{Reader: strings.NewReader("x")}
	r, err := http.NewRequest("POST", "http://blocked.test/", body)
	require.NoError(t, err)
	got, err := newFilter(t).Transport(nil).RoundTrip(r)
	require.NoError(t, err)
	require.NoError(t, got.Body.Close())
	assert.True(t, body.closed)
	_, ok := httpfilter.MatchOf(r)
	assert.False(t, ok, "the caller's request stays as it was")
}

// Behind a filter a list may change while requests come.
func TestReverseProxy(t *testing.T) {
	t.Parallel()
	store := blocktest.NewStore(t, "https://site.test/a")
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", r.In.Host }, Transport: server(t)}
	front := httptest.NewServer(httpfilter.Filter{List: store}.Handler(proxy))
	t.Cleanup(front.Close)
	status := func(path string) int {
		r, err := http.NewRequest("GET", front.URL+path, nil)
		require.NoError(t, err)
		r.Host = "site.test"
		got, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, got.Body.Close())
		return got.StatusCode
	}
	assert.Equal(t, []int{451, 200}, []int{status("/a"), status("/b")})
	blocktest.SetList(t, store, blocktest.List, "https://site.test/b")
	assert.Equal(t, []int{200, 451}, []int{status("/a"), status("/b")})
}

func FuzzHandler(f *testing.F) {
	h := newFilter(f).Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	f.Add("GET", "site.test", "/user/../p", "id=7", "text/html")
	f.Add("CONNECT", "[::1%zone]:1", "", "", "application/json;q=x")
	f.Fuzz(func(t *testing.T, method, host, path, query, accept string) {
		r := &http.Request{Method: method, Host: host, URL: &url.URL{Path: path, RawQuery: query}, Header: http.Header{"Accept": {accept}}}
		h.ServeHTTP(httptest.NewRecorder(), r)
		prefixed := &http.Request{Method: method, Host: host + ".blocked.test", URL: &url.URL{Path: path}, Header: http.Header{}}
		if _, err := blocklist.ParseName(host + ".blocked.test"); err == nil && !strings.ContainsAny(host, "/\\?#@:[]% \t\r\n") && host != "" && host[0] != '.' {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, prefixed)
			if method == http.MethodConnect || method == http.MethodGet {
				assert.Equal(t, 451, w.Code, "%q", host)
			}
		}
	})
}

// exchange sends text as it is, and returns all that comes back.
func exchange(t testing.TB, address, text string) string {
	t.Helper()
	c, err := net.DialTimeout("tcp", address, 5*time.Second)
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(time.Minute)))
	_, err = io.WriteString(c, text)
	require.NoError(t, err)
	all, err := io.ReadAll(c)
	require.NoError(t, err)
	return string(all)
}
