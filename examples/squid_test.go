package examples_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/blocktest"
	"github.com/argine-dns/argine/testdata/freeport"
)

// listed are the entries that each list of these tests has.
var listed = []string{
	"blocked.test category=spam ref=\"order 2026/17\"", "https://site.test/user/*", "https://site.test/p?id=7", "192.0.2.0/24", "watched.test status=monitor",
}

// asked are the URLs to ask for, with https and http, and whether they are listed.
var asked = map[string]bool{
	"blocked.test/": true, "www.blocked.test/a": true, "site.test/user/7": true, "site.test/x/%2e./us%65r/": true, "site.test//user": true, "site.test/p?id=7": true,
	"site.test/": false, "site.test/users": false, "site.test/p?id=8": false, "watched.test/": false, "other.test/user/7": false,
}

func TestExternalACL(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	p.setList = p.writeList
	p.setList(listed...)
	p.start("acl", "/var/lib/lists/list.txt", p.list, "ttl=30 negative_ttl=30", "ttl=1 negative_ttl=1")
	p.refused = func(r reply) bool { return r.code == http.StatusForbidden }
	p.check()
	assert.Contains(t, p.accessLog(), "http://blocked.test:"+p.httpPort+"/ tag=local message=local,%20spam,%20order%202026/17\n")
	assert.Contains(t, p.accessLog(), "http://watched.test:"+p.httpPort+"/ tag=local ")
	assert.Contains(t, p.accessLog(), "http://site.test:"+p.httpPort+"/ tag=- ")
	p.spellings()
	p.changes(6 * time.Second)
	p.load()
}

func TestICAP(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	store, dir := p.store()
	p.setList = func(lines ...string) { blocktest.SetList(t, store, blocktest.List, lines...) }
	p.setList(listed...)
	service := freeport.Addr(t)
	p.run("blocklist", p.command, "icap", dir, "--listen", service, "--blocked-by", "https://isp.example/")
	p.waitFor(service)
	p.start("icap", "127.0.0.1:1344", service)
	p.refused = func(r reply) bool { return r.code == http.StatusUnavailableForLegalReasons }
	p.check()
	r := p.get("https://site.test:" + p.httpsPort + "/user/7")
	assert.Equal(t, `<https://isp.example/>; rel="blocked-by"`, r.link)
	assert.Contains(t, r.body, "Access to this address is blocked.")
	long := strings.Repeat("x", 1<<20)
	assert.Len(t, p.ask("POST", "http://site.test:"+p.httpPort+"/echo", strings.NewReader(long)).body, len(long), "a body passes")
	r = p.ask("POST", "http://site.test:"+p.httpPort+"/user/echo", strings.NewReader(long))
	assert.True(t, r.err != nil || p.refused(r), "it may end while the body is on its way")
	p.spellings()
	p.changes(4 * time.Second)
	p.load()
}

func TestRedirect(t *testing.T) {
	t.Parallel()
	p := newProxy(t)
	p.setList = p.compileSet
	p.setList(listed...)
	p.start("redirect", "/var/lib/lists/list.txt", p.list)
	p.refused = func(r reply) bool {
		return r.code == http.StatusFound && strings.HasPrefix(r.location, "https://stop.example/?")
	}
	p.check()
	r := p.get("http://www.blocked.test:" + p.httpPort + "/")
	assert.Equal(t, "https://stop.example/?category=spam&list=it.example%2Ftest&ref=order+2026%2F17", r.location)
	p.spellings()
	p.changes(4 * time.Second)
	p.load()
}

// check asks for all of asked.
func (p *proxy) check() {
	p.t.Helper()
	for target, isListed := range asked {
		for scheme, port := range map[string]string{"http": p.httpPort, "https": p.httpsPort} {
			host, path, _ := strings.Cut(target, "/")
			p.expect(isListed, fmt.Sprintf("%s://%s:%s/%s", scheme, host, port, path))
		}
	}
}

func (p *proxy) expect(isListed bool, target string) {
	p.t.Helper()
	r := p.get(target)
	switch {
	case r.err != nil:
		assert.True(p.t, isListed && strings.HasPrefix(target, "https"), "%s: %v", target, r.err) // the CONNECT was refused
	case isListed:
		assert.True(p.t, p.refused(r), "%s: %d", target, r.code)
	default:
		assert.Equal(p.t, http.StatusOK, r.code, target)
		assert.True(p.t, strings.HasPrefix(r.body, "here is "), target)
	}
}

// reply is what came back.
type reply struct {
	code                 int
	link, location, body string
	err                  error
}

func (p *proxy) get(target string) reply { return p.ask(http.MethodGet, target, http.NoBody) }

func (p *proxy) ask(method, target string, body io.Reader) reply {
	r, err := http.NewRequestWithContext(p.t.Context(), method, target, body)
	if err != nil {
		return reply{err: err}
	}
	r.Close = method == http.MethodPost // Squid leaves a connection stuck whose request it answers before all of it has come
	got, err := p.client.Do(r)
	if err != nil {
		return reply{err: err}
	}
	defer got.Body.Close()
	b, err := io.ReadAll(got.Body)
	return reply{got.StatusCode, got.Header.Get("Link"), got.Header.Get("Location"), string(b), err}
}

// spellings asks in ways that no browser does.
func (p *proxy) spellings() {
	p.t.Helper()
	for target, isListed := range map[string]bool{
		"GET HTTP://SITE.test:PORT/user":      true,
		"GET http://u:p@site.test:PORT/user":  true,
		"GET http://site.test.:PORT/user":     true,
		"GET http://site.test:PORT/user#x":    true,
		`GET http://site.test:PORT/x\..\user`: true,
		"GET http://site.test:PORT/us\ter":    true,
		"GET http://site.test:PORT/user%23x":  false,
		"GET http://site.test:PORT/%zz":       false,
		"GET http://3221225991:PORT/":         true,
		"GET http://[::ffff:192.0.2.7]:PORT/": true,
		"CONNECT blocked.test:PORT":           true,
		"CONNECT other.test:PORT":             false,
		"CONNECT 0xc0.0.0x207:PORT":           true,
		"CONNECT 3221225991:PORT":             true,
		"CONNECT [::ffff:c000:207]:PORT":      true,
	} {
		port := p.httpPort
		if strings.HasPrefix(target, "CONNECT") {
			port = p.httpsPort
		}
		target := strings.ReplaceAll(target, "PORT", port)
		answer := p.exchange(target+" HTTP/1.1\r\nHost: other.test\r\nConnection: close\r\n\r\n", "GET / HTTP/1.1\r\nHost: other.test\r\n\r\n")
		assert.Equal(p.t, isListed, p.refusedText(answer), "%s: %.60q", target, answer)
	}
	for inside, isListed := range map[string]bool{
		"GET / HTTP/1.1\r\nHost: blocked.test\r\n\r\n":                       true,
		"GET https://blocked.test/ HTTP/1.1\r\nHost: other.test\r\n\r\n":     true,
		"GET /user HTTP/1.1\r\nHost: site.test\r\n\r\n":                      true,
		"GET https://site.test/users HTTP/1.1\r\nHost: blocked.test\r\n\r\n": false,
	} {
		answer := p.exchange("CONNECT other.test:"+p.httpsPort+" HTTP/1.1\r\nHost: other.test\r\n\r\n", inside)
		assert.Equal(p.t, isListed, p.refusedText(answer), "through a tunnel to other.test: %.60q: %.60q", inside, answer)
	}
}

// changes lists another URL, and then no longer, and waits for each to take effect.
func (p *proxy) changes(within time.Duration) {
	p.t.Helper()
	target := "http://site.test:" + p.httpPort + "/changes"
	becomes := func(isListed bool) {
		p.t.Helper()
		began := time.Now()
		require.Eventually(p.t, func() bool {
			r := p.get(target)
			return p.refused(r) == isListed && (isListed || strings.HasPrefix(r.body, "here is "))
		}, within, 50*time.Millisecond)
		p.t.Logf("took effect within %s", time.Since(began).Round(10*time.Millisecond))
	}
	becomes(false)
	p.setList(append([]string{"https://site.test/changes"}, listed...)...)
	becomes(true)
	p.setList(listed...)
	becomes(false)
}

// load asks from many sides while the list changes all the time.
func (p *proxy) load() {
	if testing.Short() {
		p.t.Log("without load, being short")
		return
	}
	const clients, seconds = 8, 4
	ctx, cancel := context.WithTimeout(p.t.Context(), seconds*time.Second)
	defer cancel()
	var requests, wrong atomic.Int64
	var all sync.WaitGroup
	for i := range clients {
		scheme, port := "http", p.httpPort
		if i%2 == 1 {
			scheme, port = "https", p.httpsPort
		}
		all.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				for path, isListed := range map[string]bool{"user": true, "free": false} {
					r := p.get(fmt.Sprintf("%s://site.test:%s/%s/%d-%d", scheme, port, path, i, n))
					requests.Add(1)
					if p.refused(r) != isListed || !isListed && r.code != http.StatusOK {
						wrong.Add(1)
					}
				}
			}
		})
	}
	changes := 0
	for ; ctx.Err() == nil; changes++ {
		p.setList(append([]string{fmt.Sprintf("https://site.test/changes/%d", changes)}, listed...)...)
		time.Sleep(700 * time.Millisecond)
	}
	all.Wait()
	p.t.Logf("%d requests in %d s, %d changes of the list", requests.Load(), seconds, changes)
	assert.Zero(p.t, wrong.Load())
	assert.Greater(p.t, requests.Load(), int64(100))
}

// store is one that the command reads beside its owner.
func (p *proxy) store() (*blocklist.Store, string) {
	dir := p.t.TempDir()
	s, err := blocklist.Open(dir, blocklist.Options{})
	require.NoError(p.t, err)
	p.t.Cleanup(func() { assert.NoError(p.t, s.Close()) })
	return s, dir
}
