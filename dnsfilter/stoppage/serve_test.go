package stoppage_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/stoppage"
	"github.com/argine-dns/argine/testdata/pipes"
)

// serve runs one of a server's loops until the test ends, and returns its address.
func serve(t *testing.T, run func(context.Context, net.Listener) error) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	serveOn(t, l, run)
	return l.Addr().String()
}

func serveOn(t *testing.T, l net.Listener, run func(context.Context, net.Listener) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, <-done)
	})
}

// exchange writes to a connection and returns what comes back until its end.
func exchange(t *testing.T, addr, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	return talk(t, conn, text)
}

// talk is exchange over a connection, which it closes.
func talk(t *testing.T, conn net.Conn, text string) string {
	t.Helper()
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, err := io.WriteString(conn, text)
	require.NoError(t, err)
	reply, _ := io.ReadAll(conn) // a reset is an end, too
	return string(reply)
}

func TestServe(t *testing.T) {
	t.Parallel()
	s := newServer(t, stoppage.Config{})
	addr := serve(t, s.ServeHTTPOn)
	two := exchange(t, addr, "HEAD / HTTP/1.1\r\nHost: listed.example\r\n\r\nGET / HTTP/1.1\r\nHost: listed.example\r\nConnection: close\r\n\r\n")
	assert.Equal(t, 2, strings.Count(two, "HTTP/1.1 451"), "connections are kept")
	assert.Equal(t, 1, strings.Count(two, "<html"))
	for text, reply := range map[string]string{
		"GET / HTTP/1.1\r\nHost: listed.example\r\nX: " + strings.Repeat("x", 20_000) + "\r\n\r\n": "HTTP/1.1 431",
		"GET / HTTP/1.0\r\n\r\n":                                           "HTTP/1.0 400",
		"GET http://listed.example/ HTTP/1.0\r\n\r\n":                      "HTTP/1.0 451",
		"GET / HTTP/1.0\r\nHost: <b>.listed.example\r\n\r\n":               "HTTP/1.1 400",
		"OPTIONS * HTTP/1.0\r\nHost: listed.example\r\n\r\n":               "HTTP/1.0 405",
		"CONNECT listed.example:443 HTTP/1.0\r\n\r\n":                      "HTTP/1.0 405",
		"\x16\x03\x01\x02\x00\r\n\r\n":                                     "HTTP/1.1 400",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":                                 "HTTP/1.1 405",
		"GET / HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n":     "HTTP/1.1 400",
		"GET / HTTP/1.0\r\nHost: " + strings.Repeat("a", 300) + "\r\n\r\n": "HTTP/1.0 400",
	} {
		got := exchange(t, addr, text)
		assert.True(t, strings.HasPrefix(got, reply), "%.60q: %.60q", text, got)
	}
	assert.Eventually(t, func() bool { return s.Stats().Open == 0 }, time.Minute, 10*time.Millisecond)
}

// A client that sends nothing, or half a request, is not waited for.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := pipes.Listen()
		serveOn(t, l, newServer(t, stoppage.Config{}).ServeHTTPOn)
		begin := time.Now()
		conn, err := l.Dial()
		require.NoError(t, err)
		talk(t, conn, "GET / HTTP/1.1\r\nHost: li")
		assert.Equal(t, 5*time.Second, time.Since(begin))
	})
}

func TestTLSIsRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t, stoppage.Config{})
	addr := serve(t, s.RefuseTLSOn)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		_, err := tls.Dial("tcp", addr, &tls.Config{ServerName: "listed.example", MinVersion: version, MaxVersion: version})
		alert, ok := errors.AsType[*net.OpError](err)
		require.True(t, ok, "%v", err)
		assert.Equal(t, "tls: unrecognized name", alert.Err.Error())
	}
	assert.Equal(t, uint64(2), s.Stats().Refused)
}
