package icap_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/blocktest"
	"github.com/argine-dns/argine/blocklist/httpfilter"
	"github.com/argine-dns/argine/blocklist/icap"
	"github.com/argine-dns/argine/testdata/pipes"
)

// service is a server that runs until the test ends.
type service struct {
	t       testing.TB
	address string
	connect func() (net.Conn, error)
	stop    context.CancelFunc
	ended   chan error
}

func start(t testing.TB, s icap.Server) *service {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return startOn(t, s, l, func() (net.Conn, error) { return net.DialTimeout("tcp", l.Addr().String(), 5*time.Second) })
}

func startOn(t testing.TB, s icap.Server, l net.Listener, connect func() (net.Conn, error)) *service {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r := &service{t, l.Addr().String(), connect, stop, make(chan error, 1)}
	go func() { r.ended <- s.Serve(ctx, l); close(r.ended) }()
	t.Cleanup(func() { stop(); <-r.ended })
	return r
}

func newServer(t testing.TB) (icap.Server, *blocklist.Store) {
	t.Helper()
	store := blocktest.NewStore(t, "blocked.test category=spam ref=7", "https://site.test/user/*", "192.0.2.0/24", "watched.test status=monitor")
	return icap.Server{Filter: httpfilter.Filter{List: store, BlockedBy: "https://isp.example/"}, Version: store.Version}, store
}

// client is a connection to a service.
type client struct {
	net.Conn
	t testing.TB
	r *bufio.Reader
}

func (s *service) dial() *client {
	s.t.Helper()
	c, err := s.connect()
	require.NoError(s.t, err)
	require.NoError(s.t, c.SetDeadline(time.Now().Add(20*time.Second)))
	s.t.Cleanup(func() { c.Close() })
	return &client{c, s.t, bufio.NewReader(c)}
}

func (c *client) send(text string) {
	c.t.Helper()
	_, err := io.WriteString(c.Conn, text)
	require.NoError(c.t, err)
}

// head reads lines up to an empty one.
func (c *client) head() string {
	c.t.Helper()
	var b strings.Builder
	for {
		line, err := c.r.ReadString('\n')
		require.NoError(c.t, err, b.String())
		if line == "\r\n" {
			return b.String()
		}
		b.WriteString(line)
	}
}

// refusal reads the response in an answer of 200.
func (c *client) refusal() string {
	c.t.Helper()
	assert.Contains(c.t, c.head(), "ICAP/1.0 200 OK\r\n")
	head := c.head()
	var body strings.Builder
	for line := ""; line != "0\r\n"; {
		var err error
		line, err = c.r.ReadString('\n')
		require.NoError(c.t, err)
		body.WriteString(line)
	}
	assert.Empty(c.t, c.head())
	return head + body.String()
}

func (c *client) gone() {
	c.t.Helper()
	_, err := c.r.ReadByte()
	assert.ErrorIs(c.t, err, io.EOF)
}

// reqmod writes a request. Fields are of the ICAP header; a body is written in chunks by the caller.
func reqmod(http string, hasBody bool, fields ...string) string {
	kind := "null-body"
	if hasBody {
		kind = "req-body"
	}
	fields = append(fields, fmt.Sprintf("Encapsulated: req-hdr=0, %s=%d", kind, len(http)))
	return "REQMOD icap://127.0.0.1:1344/reqmod ICAP/1.0\r\nHost: 127.0.0.1:1344\r\n" + strings.Join(fields, "\r\n") + "\r\n\r\n" + http
}

func get(target string, fields ...string) string {
	return "GET " + target + " HTTP/1.1\r\n" + strings.Join(append(fields, "Via: 1.1 proxy"), "\r\n") + "\r\n\r\n"
}

const allow = "Allow: 204"

func TestOptions(t *testing.T) {
	t.Parallel()
	server, store := newServer(t)
	server.MaxConnections = 17
	c := start(t, server).dial()
	tag := func() string {
		c.send("OPTIONS icap://127.0.0.1:1344/reqmod ICAP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
		head := c.head()
		for _, want := range []string{
			"ICAP/1.0 200 OK\r\n", "Methods: REQMOD\r\n", "Allow: 204\r\n", "Preview: 0\r\n", "Transfer-Preview: *\r\n",
			"Options-TTL: 60\r\n", "Max-Connections: 17\r\n", "Encapsulated: null-body=0\r\n",
		} {
			assert.Contains(t, head, want)
		}
		_, tag, _ := strings.Cut(head, "ISTag: ")
		tag, _, _ = strings.Cut(tag, "\r\n")
		assert.Regexp(t, `^"[0-9a-f]{1,30}"$`, tag)
		return tag
	}
	first := tag()
	assert.Equal(t, first, tag())
	blocktest.SetList(t, store, "local", "other.test")
	second := tag()
	assert.NotEqual(t, first, second)
	c.send(reqmod(get("http://example.org/"), false, allow))
	assert.Contains(t, c.head(), "ISTag: "+second+"\r\n")
}

func TestRequests(t *testing.T) {
	t.Parallel()
	server, _ := newServer(t)
	c := start(t, server).dial()
	for target, listed := range map[string]bool{
		"http://www.blocked.test/": true, "HTTPS://Site.test:443/us%65r/7?x": true, "http://site.test/": false, "http://watched.test/": false,
		"http://site.test/%zz/../user/": true, `http://site.test\user\ü "<>`: true, "http://192.0.2.7/": true,
		"http://site.test/user/a b": true,
	} {
		c.send(reqmod(get(target), false, allow, "Preview: 0"))
		if listed {
			assert.Contains(t, c.refusal(), "HTTP/1.1 451 Unavailable For Legal Reasons\r\n", target)
		} else {
			assert.Contains(t, c.head(), "ICAP/1.0 204 No Content\r\n", target)
		}
	}
	c.send(reqmod("CONNECT www.blocked.test:443 HTTP/1.1\r\nHost: www.blocked.test:443\r\n\r\n", false, allow))
	assert.Contains(t, c.refusal(), " 451 ")
	c.send(reqmod("CONNECT site.test:443 HTTP/1.1\r\nHost: site.test:443\r\n\r\n", false, allow))
	assert.Contains(t, c.head(), " 204 ")
	c.send(reqmod(get("/user/7", "Accept: text/html", "HOST: site.test"), false, allow))
	assert.Contains(t, c.refusal(), " 451 ")
	c.send(reqmod("GET http://blocked.test/", false, allow))
	assert.Contains(t, c.refusal(), " 451 ", "an old request line")
}

func TestRefusal(t *testing.T) {
	t.Parallel()
	server, _ := newServer(t)
	c := start(t, server).dial()
	c.send(reqmod(get("http://blocked.test/", "accept: application/json"), false, allow))
	r := c.refusal()
	assert.Contains(t, r, "Content-Type: application/json\r\n")
	assert.Contains(t, r, "Cache-Control: no-store\r\n")
	assert.Contains(t, r, `Link: <https://isp.example/>; rel="blocked-by"`)
	assert.Contains(t, r, `"category":"spam","ref":"7"}`)
	c.send(reqmod("HEAD http://blocked.test/ HTTP/1.1\r\n\r\n", false, allow))
	assert.Contains(t, c.head(), "Encapsulated: res-hdr=0, null-body=")
	assert.Contains(t, c.head(), "HTTP/1.1 451 ")
}

// Bodies: the preview that was asked for, one that is longer, one that ends in it, and clients that send all at once.
func TestBodies(t *testing.T) {
	t.Parallel()
	server, _ := newServer(t)
	c := start(t, server).dial()
	post := func(host string) string {
		return "POST http://" + host + "/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
	}
	for _, body := range []string{"0\r\n\r\n", "0; ieof\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n", "5;x=y\r\nhello\r\n5\r\nworld\r\n0; ieof\r\nTrailer: x\r\n\r\n"} {
		c.send(reqmod(post("example.org"), true, "Preview: 0") + body)
		assert.Contains(t, c.head(), " 204 ", body)
		c.send(reqmod(post("blocked.test"), true, "Preview: 1024") + body)
		assert.Contains(t, c.refusal(), " 451 ", body)
		c.send(reqmod(post("example.org"), true, "Allow: 206, 204") + body)
		assert.Contains(t, c.head(), " 204 ", body)
		c.send(reqmod(post("blocked.test"), true) + body)
		assert.Contains(t, c.refusal(), " 451 ", body)
	}
}

// A client that takes no 204 gets its request back as it was.
func TestEcho(t *testing.T) {
	t.Parallel()
	server, _ := newServer(t)
	c := start(t, server).dial()
	http := "GET http://example.org/ HTTP/1.1\r\nOdd header \xff\r\n folded\r\n\r\n"
	c.send(reqmod(http, false))
	assert.Contains(t, c.head(), fmt.Sprintf("Encapsulated: req-hdr=0, null-body=%d\r\n", len(http)))
	got := make([]byte, len(http))
	_, err := io.ReadFull(c.r, got)
	require.NoError(t, err)
	assert.Equal(t, http, string(got))

	const chunks = 300
	chunk := strings.Repeat("x", 16<<10)
	c.send(reqmod(http, true))
	go func() {
		for range chunks {
			fmt.Fprintf(c.Conn, "%x\r\n%s\r\n", len(chunk), chunk)
		}
		io.WriteString(c.Conn, "0\r\n\r\n")
	}()
	assert.Contains(t, c.head(), fmt.Sprintf("Encapsulated: req-hdr=0, req-body=%d\r\n", len(http)))
	_, err = io.ReadFull(c.r, got)
	require.NoError(t, err)
	assert.Equal(t, http, string(got))
	n := 0
	for line := ""; line != "0\r\n"; {
		line, err = c.r.ReadString('\n')
		require.NoError(t, err)
		n += strings.Count(line, "x")
	}
	assert.Equal(t, chunks*len(chunk), n)
	assert.Empty(t, c.head())
}

func TestPipelining(t *testing.T) {
	t.Parallel()
	server, _ := newServer(t)
	c := start(t, server).dial()
	var all strings.Builder
	for i := range 200 {
		all.WriteString(reqmod(get(fmt.Sprintf("http://%d.test/", i)), false, allow))
		all.WriteString("\r\n\r\n") // some put empty lines between requests
		all.WriteString(reqmod(get("http://blocked.test/"), false, allow))
	}
	go io.WriteString(c.Conn, all.String())
	for range 200 {
		assert.Contains(t, c.head(), " 204 ")
		assert.Contains(t, c.refusal(), " 451 ")
	}
	c.send(reqmod(get("http://example.org/"), false, allow, "Connection: close"))
	assert.Contains(t, c.head(), "Connection: close\r\n")
	c.gone()
}

func TestWrongRequests(t *testing.T) {
	t.Parallel()
	server, _ := newServer(t)
	s := start(t, server)
	const first = "REQMOD icap://h/reqmod ICAP/1.0\r\n"
	for text, status := range map[string]string{
		"GET / HTTP/1.1\r\n\r\n":                                                            "505",
		"\r\n\r\nx\r\n\r\n":                                                                 "505",
		"RESPMOD icap://h/reqmod ICAP/1.0\r\n\r\n":                                          "405",
		"FILEMOD icap://h/reqmod ICAP/1.0\r\n\r\n":                                          "501",
		"REQMOD icap://h/other ICAP/1.0\r\n\r\n":                                            "404",
		"REQMOD icap://h ICAP/1.0\r\n\r\n":                                                  "404",
		"OPTIONS /reqmod/x ICAP/1.0\r\n\r\n":                                                "404",
		first + "\r\n":                                                                      "400",
		first + "no field\r\n\r\n":                                                          "400",
		first + "Encapsulated: null-body=0\r\n\r\n":                                         "400",
		first + "Encapsulated: req-hdr=0, null-body=0\r\n\r\n":                              "400",
		first + "Encapsulated: req-hdr=0, null-body=-5\r\n\r\n":                             "400",
		first + "Encapsulated: req-hdr=0, null-body=99999999999999999999\r\n\r\n":           "400",
		first + "Encapsulated: req-hdr=0, null-body=20000000\r\n\r\n":                       "400",
		first + "Encapsulated: req-hdr=10, null-body=20\r\n\r\n":                            "400",
		first + "Encapsulated: req-hdr=0, res-body=20\r\n\r\n":                              "400",
		first + "Encapsulated: req-hdr=0, req-body=20, null-body=30\r\n\r\n":                "400",
		first + strings.Repeat("X: y\r\n", 10_000) + "\r\n":                                 "400",
		first + "X: " + strings.Repeat("y", 50_000) + "\r\n\r\n":                            "400",
		first + "X: " + strings.Repeat("y", 4096-len(first)-3) + "\r\nA: b\r\nC: d\r\n\r\n": "400",
	} {
		c := s.dial()
		go io.WriteString(c.Conn, text) // it may be answered before all is sent
		head := c.head()
		assert.Contains(t, head, "ICAP/1.0 "+status+" ", "%.80q", text)
		assert.Contains(t, head, "Connection: close\r\n")
		assert.Contains(t, head, "ISTag: ")
	}
	for _, text := range []string{
		"", "REQMOD", reqmod("GET", true, allow) + "zz\r\n", reqmod("GET", true, allow) + "fffffffffffffffffff\r\n", reqmod("GET", true, allow) + "5\r\nhello",
		first + "Encapsulated: req-hdr=0, null-body=20\r\n\r\nGET", reqmod("GET", true, allow) + "0\r\n" + strings.Repeat("X: y\r\n", 10_000) + "\r\n",
	} {
		c := s.dial()
		go func() {
			io.WriteString(c.Conn, text)
			c.Conn.(*net.TCPConn).CloseWrite()
		}()
		all, err := io.ReadAll(c.r)
		if err == nil { // it may be reset, with what was not read
			assert.Empty(t, all, "%.80q", text)
		}
	}
}

func TestNotReady(t *testing.T) {
	t.Parallel()
	server, _ := newServer(t)
	var ready atomic.Bool
	server.Ready = func() error {
		if !ready.Load() {
			return errors.New("nothing is held yet")
		}
		return nil
	}
	s := start(t, server)
	c := s.dial()
	c.send("OPTIONS icap://h/reqmod ICAP/1.0\r\n\r\n")
	assert.Contains(t, c.head(), " 200 ")
	c.send(reqmod(get("http://blocked.test/"), false, allow))
	assert.Contains(t, c.head(), "ICAP/1.0 503 Service Unavailable\r\n")
	c.gone()
	ready.Store(true)
	c = s.dial()
	c.send(reqmod(get("http://blocked.test/"), false, allow))
	assert.Contains(t, c.refusal(), " 451 ")
}

// Who waits is served when another has gone.
func TestMaxConnections(t *testing.T) {
	t.Parallel()
	server, _ := newServer(t)
	server.MaxConnections = 2
	s := start(t, server)
	ask := reqmod(get("http://example.org/"), false, allow)
	a, b, late := s.dial(), s.dial(), s.dial()
	for _, c := range []*client{a, b} {
		c.send(ask)
		assert.Contains(t, c.head(), " 204 ")
	}
	late.send(ask)
	require.NoError(t, late.SetReadDeadline(time.Now().Add(200*time.Millisecond)))
	_, err := late.r.Peek(1)
	require.Error(t, err)
	require.NoError(t, late.SetReadDeadline(time.Now().Add(10*time.Second)))
	a.Close()
	assert.Contains(t, late.head(), " 204 ")
}

// At the end those who wait are let go, what is under way is answered, and no one holds it up for long.
func TestEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, _ := newServer(t)
		l := pipes.Listen()
		s := startOn(t, server, l, l.Dial)
		idle, busy, dead := s.dial(), s.dial(), s.dial()
		idle.send(reqmod(get("http://example.org/"), false, allow))
		assert.Contains(t, idle.head(), " 204 ")
		text := reqmod(get("http://blocked.test/"), false, allow)
		busy.send(text[:50])
		dead.send(text[:50])
		synctest.Wait()
		began := time.Now()
		s.stop()
		idle.gone()
		busy.send(text[50:])
		assert.Contains(t, busy.refusal(), " 451 ")
		busy.gone()
		require.NoError(t, <-s.ended)
		assert.Equal(t, 5*time.Second, time.Since(began), "the one that is stuck was given time")
		_, err := l.Dial()
		require.Error(t, err)
	})
}

// Lists change while requests come: each answer is that of the lists before or after.
func TestChangesUnderLoad(t *testing.T) {
	t.Parallel()
	server, store := newServer(t)
	s := start(t, server)
	stop := make(chan struct{})
	done := make(chan int, 4)
	for range 4 {
		c := s.dial()
		go func() {
			n := 0
			for ; ; n++ {
				select {
				case <-stop:
					done <- n
					return
				default:
				}
				c.send(reqmod(get("http://blocked.test/"), false, allow) + reqmod(get("http://example.org/"), false, allow))
				assert.Contains(t, c.refusal(), " 451 ", "it is on both")
				assert.Contains(t, c.head(), " 204 ")
			}
		}()
	}
	for i := range 50 {
		blocktest.SetList(t, store, blocktest.List, "blocked.test", fmt.Sprintf("%d.test", i))
	}
	close(stop)
	for range 4 {
		assert.Positive(t, <-done)
	}
}
