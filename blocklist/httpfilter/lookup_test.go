package httpfilter_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/blocktest"
	"github.com/argine-dns/argine/blocklist/httpfilter"
)

// What proxies are asked, in every spelling that they or the servers behind them take.
func TestLookup(t *testing.T) {
	t.Parallel()
	l := newFilter(t).List
	for _, c := range []struct {
		method, target, host string
		listed               bool
	}{
		// absolute-form
		{"GET", "http://www.blocked.test/", "", true},
		{"GET", "HTTP://SITE.test/user/7", "site.test", true},
		{"GET", "hTtPs://site.test:443/user/7", "", true},
		{"GET", "http://site.test:80/user/7", "", true},
		{"GET", "http://site.test:/user/7", "", true},
		{"GET", "http://name:secret@site.test/user", "", true},
		{"GET", "http://site.test@example.org/user", "", false},
		{"GET", `http://example.org\@site.test/user`, "", false},
		{"GET", "http://example.org#@site.test/user", "", false},
		{"GET", "http:/site.test/user", "", true},
		{"GET", "http:site.test/user", "", true},
		{"GET", `http:\\site.test\user`, "", true},
		{"GET", "ftp://site.test/user/7", "", true},
		{"GET", "ws://site.test/user/7", "", true},
		{"GET", "http://site.test./user", "", true},
		{"GET", "http://site.test/user#x", "", true},
		{"GET", "http://site.test/us%2565r", "", true},
		{"GET", "http://site.test/x/%2e%2E/user", "", true},
		{"GET", "http://site.test/%zz/../user", "", true},
		{"GET", "http://site.test/p?id=7", "", true},
		{"GET", "http://site.test/p%3Fid=7", "", false},
		{"GET", "http://site.test?/user", "", false},
		{"GET", "http://site.test", "", false},
		{"GET", "http://192.0.2.7/", "", true},
		{"GET", "http://0xc0.0.519/", "", true},
		{"GET", "http://3221225991:8080/", "", true},
		{"GET", "http://[2001:db8::7]:8080/", "", true},
		{"GET", "http://[2001:DB8:0:0::7]/", "", true},
		{"GET", "http://[::ffff:192.0.2.7]/", "", true},
		{"GET", "http://[64:ff9b::c000:207]/", "", true},
		{"GET", "http://[2001:db9::7]/", "", false},
		{"GET", "http://example.org/", "example.org", false},
		// the Host field of an absolute-form request should not count, and yet may
		{"GET", "http://example.org/user/7", "site.test", true},
		{"GET", "http://example.org/user/7", "site.test:8080", true},
		{"GET", "http://example.org/", "site.test", false},
		{"GET", "http://site.test/user/7", "example.org", true},
		{"GET", "http://watched.test/", "blocked.test", true},
		// origin-form and asterisk-form
		{"GET", "/user/7", "site.test", true},
		{"GET", "/user/7", "SITE.test:8080", true},
		{"GET", "//example.org/../user", "site.test", true},
		{"GET", "//example.org/user", "site.test", false},
		{"GET", "?id=7", "site.test", false},
		{"GET", "", "blocked.test", true},
		{"GET", "/blocked.test/", "", false},
		{"GET", "//blocked.test/", "", false},
		{"OPTIONS", "*", "blocked.test:80", true},
		{"OPTIONS", "*", "site.test", false},
		// authority-form
		{"CONNECT", "www.blocked.test:443", "", true},
		{"CONNECT", "BLOCKED.test.:443", "", true},
		{"CONNECT", "blocked.test", "", true},
		{"CONNECT", "name:secret@blocked.test:443", "", true},
		{"CONNECT", strings.Repeat("a", 10_000) + "@blocked.test:443", "", true},
		{"CONNECT", "%62locked.test:443", "", true},
		{"CONNECT", "a%20b.blocked.test:443", "", true},
		{"CONNECT", "https://blocked.test:443/", "", true},
		{"CONNECT", "example.org:443", "blocked.test:443", true},
		{"CONNECT", "site.test:443", "site.test:443", false},
		{"CONNECT", "192.0.2.7:443", "", true},
		{"CONNECT", "0xc0000207:443", "", true},
		{"CONNECT", "0300.0.519:443", "", true},
		{"CONNECT", "[2001:db8::7]:443", "", true},
		{"CONNECT", "[::ffff:192.0.2.7]:443", "", true},
		{"CONNECT", "[::ffff:c000:207]:443", "", true},
		{"CONNECT", "198.51.100.7:443", "", false},
		{"CONNECT", "", "", false},
		{"CONNECT", ":443", "", false},
	} {
		m, ok, _ := httpfilter.Lookup(l, c.method, c.target, c.host)
		assert.Equal(t, c.listed, ok && !m.Monitor, "%s %.60s, Host %s", c.method, c.target, c.host)
	}
	m, ok, _ := httpfilter.Lookup(l, "GET", "http://example.org/", "watched.test")
	assert.True(t, ok && m.Monitor)
}

// What names no host, or one that no browser takes, may be meant for anything.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	l := newFilter(t).List
	for _, c := range [][]string{
		{"GET", ""},
		{"GET", "/"},
		{"GET", "/", ""},
		{"OPTIONS", "*"},
		{"GET", "http://"},
		{"GET", "http:"},
		{"GET", "//example.org/"},
		{"GET", "/", "/"},
		{"GET", "http:// example.org/"},
		{"GET", "http://%20example.org/"},
		{"GET", "http://example.org:80:80/"},
		{"GET", "http://[::1/"},
		{"GET", "http://[fe80::1%25eth0]/"},
		{"GET", "http://example%00.org/"},
		{"GET", "http://exa<mple.org/"},
		{"GET", "/", "example.org/?"},
		{"GET", "/", `example.org\`},
		{"GET", "/", "a@example.org"},
		{"GET", "/", "example.org", "exa mple.net"},
		{"GET", "http://example.org/", "exa mple.net"},
		{"CONNECT", ""},
		{"CONNECT", ":443"},
		{"CONNECT", "%"},
		{"CONNECT", "%:443"},
		{"CONNECT", "example.org%00:443"},
		{"CONNECT", "example.org:443", "[:443"},
	} {
		_, ok, err := httpfilter.Lookup(l, c[0], c[1], c[2:]...)
		assert.ErrorIs(t, err, blocklist.ErrMalformed, c)
		assert.False(t, ok, c)
	}
	for _, c := range [][]string{
		{"GET", "/", "example.org"},
		{"GET", "/", "example.org:443", "example.net"},
		{"GET", "http://example.org/a b", ""},
		{"CONNECT", "[2001:db9::1]:443"},
		{"GET", "http:example.org"},
		{"GET", "http:/example.org"},
		{"GET", "WSS://example.org/"},
		{"GET", "http://u:p%20@example.org/"},
		{"GET", "ht\ttp:\\\\example.org\n/"},
		{"GET", "http://_srv.example.org/"},
		{"GET", "http://b\u00fccher.example.org/"},
	} {
		_, ok, err := httpfilter.Lookup(l, c[0], c[1], c[2:]...)
		assert.NoError(t, err, c)
		assert.False(t, ok, c)
	}
	_, ok, err := httpfilter.Lookup(l, "GET", "http://%20www.blocked.test/")
	assert.NoError(t, err)
	assert.True(t, ok, "what is listed is refused as such")
	rt := newFilter(t).Transport(server(t))
	_, err = rt.RoundTrip(&http.Request{Method: "GET", URL: &url.URL{Scheme: "http", Host: "exa mple.org"}, Header: http.Header{}}) //nolint:bodyclose // there is none
	assert.ErrorIs(t, err, blocklist.ErrMalformed)
	front := httptest.NewServer(newFilter(t).Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { assert.Fail(t, "it is passed on") })))
	t.Cleanup(front.Close)
	assert.Contains(t, exchange(t, front.Listener.Addr().String(), "GET / HTTP/1.0\r\n\r\n"), "HTTP/1.0 400")
	assert.Contains(t, exchange(t, front.Listener.Addr().String(), "GET / HTTP/1.1\r\nHost: example.org:80:80\r\nConnection: close\r\n\r\n"), "HTTP/1.1 400")
}

// Requests that a program made itself may have their target in other fields than those that a server reads.
func TestTransportLooksAtOpaqueTargets(t *testing.T) {
	t.Parallel()
	rt := newFilter(t).Transport(server(t))
	for _, u := range []url.URL{
		{Scheme: "http", Host: "site.test", Opaque: "//site.test/us%65r/7"},
		{Scheme: "http", Host: "site.test", Opaque: "/user/7"},
		{Scheme: "http", Host: "site.test", Path: "user/7"},
		{Scheme: "http", Host: "example.org", Opaque: "//site.test/user/7"},
	} {
		got, err := rt.RoundTrip(&http.Request{Method: "GET", URL: &u, Header: http.Header{}})
		if assert.NoError(t, err, u) {
			assert.Equal(t, 451, got.StatusCode, u)
			assert.NoError(t, got.Body.Close())
		}
	}
}

// A server of package net/http gets a target in absolute-form in pieces.
func TestHandlerOfTargets(t *testing.T) {
	t.Parallel()
	h := newFilter(t).Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	front := httptest.NewServer(h)
	t.Cleanup(front.Close)
	for target, status := range map[string]string{
		"HTTP://site.test/user":           "451",
		"http://site.test:80/x/%2e./user": "451",
		"http://u@site.test/user":         "451",
		"http:site.test/user":             "451",
		"http://[2001:db8::7]:80/":        "451",
		"http://3221225991/":              "451",
		"http://site.test/users":          "200",
	} {
		assert.Contains(t, exchange(t, front.Listener.Addr().String(), "GET "+target+" HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n"), "HTTP/1.1 "+status, target)
	}
	assert.Contains(t, exchange(t, front.Listener.Addr().String(), "CONNECT 0xc0.0.2.7:443 HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n"), "HTTP/1.1 451")
}

func FuzzLookup(f *testing.F) {
	l := blocktest.NewStore(f, "blocked.test", "https://site.test/user/*", "192.0.2.0/24")
	f.Add("GET", "http://u:p@[::ffff:192.0.2.7]:80/a?b#c", "site.test:80")
	f.Add("CONNECT", "0xc0.519:443", "")
	f.Add("OPTIONS", "*", "blocked.test")
	f.Fuzz(func(t *testing.T, method, target, host string) {
		m, ok, err := httpfilter.Lookup(l, method, target, host)
		assert.False(t, err != nil && ok && !m.Monitor, "what is listed is listed")
		m, ok, _ = httpfilter.Lookup(l, method, "http://blocked.test/"+target, host)
		assert.True(t, ok && !m.Monitor, "whatever the path and the Host field")
		_, ok, _ = httpfilter.Lookup(l, "GET", "/user/a?"+strings.ReplaceAll(target, "#", ""), "site.test")
		assert.True(t, ok)
	})
}
