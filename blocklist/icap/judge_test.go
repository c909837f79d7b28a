package icap_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestHosts has requests that name a host in every place where one may stand, some more than once.
func TestHosts(t *testing.T) {
	t.Parallel()
	server, _ := newServer(t)
	c := start(t, server).dial()
	for _, r := range []struct{ request, status string }{
		{"GET / HTTP/1.1\r\nHost: blocked.test\r\nHost: ok.test\r\n\r\n", "451"},
		{"GET / HTTP/1.1\r\nHost: ok.test\r\nHost: blocked.test\r\n\r\n", "451"},
		{"GET / HTTP/1.1\r\nHost:\r\n blocked.test\r\n\r\n", "451"},
		{"GET / HTTP/1.1\r\nX: y\r\n\tHost: blocked.test\r\nHost: ok.test\r\n\r\n", "204"},
		{"GET http://ok.test/ HTTP/1.1\r\nHost: blocked.test\r\n\r\n", "451"},
		{"GET  http://blocked.test/ HTTP/1.1\r\nHost: ok.test\r\n\r\n", "451"},
		{"GET\thttp://blocked.test/ HTTP/1.1\r\nHost: ok.test\r\n\r\n", "400"},
		{"GET http://blo\u00adcked.test/ HTTP/1.1\r\n\r\n", "451"},
		{"GET http://blocked.test%2f@ok.test/ HTTP/1.1\r\n\r\n", "204"},
		{"GET http://ok.test%2f@blocked.test/ HTTP/1.1\r\n\r\n", "451"},
		{"GET http://blocked.test:80:80/ HTTP/1.1\r\n\r\n", "400"},
		{"GET http://3221225991/ HTTP/1.1\r\n\r\n", "451"},
		{"GET http://0300.0.2.7/ HTTP/1.1\r\n\r\n", "451"},
		{"GET http:\\\\blocked.test\\p HTTP/1.1\r\nHost: ok.test\r\n\r\n", "451"},
		{"GET http://site.test/x/%2e%2e/user/7 HTTP/1.1\r\n\r\n", "451"},
		{"GET / HTTP/1.1\r\nHost: ok.test\r\nHost: o k.test\r\n\r\n", "400"},
		{"GET / HTTP/1.0\r\n\r\n", "400"},
		{"GET * HTTP/1.1\r\n\r\n", "400"},
		{"\x00\x01\x02\r\n\r\n", "400"},
		{"CONNECT 3221225991:443 HTTP/1.1\r\n\r\n", "451"},
		{"connect blocked.test:443 HTTP/1.1\r\n\r\n", "451"},
	} {
		c.send(reqmod(r.request, false, allow))
		if r.status == "204" {
			assert.Contains(t, c.head(), "ICAP/1.0 204 No Content\r\n", r.request)
			continue
		}
		assert.Contains(t, c.refusal(), "HTTP/1.1 "+r.status+" ", r.request)
	}
}

// TestLongHeaders has a header that is too long to be looked at: the request is refused, and the connection goes on.
func TestLongHeaders(t *testing.T) {
	t.Parallel()
	server, _ := newServer(t)
	c := start(t, server).dial()
	long := "X: " + strings.Repeat("a", 160<<10)
	for range 12 {
		c.send(reqmod(get("http://blocked.test/", long), false, allow))
		assert.Contains(t, c.refusal(), "HTTP/1.1 431 Request Header Fields Too Large\r\n")
		c.send(reqmod("POST http://ok.test/ HTTP/1.1\r\n"+long+"\r\n\r\n", true, "Preview: 0") + "0\r\n\r\n")
		assert.Contains(t, c.refusal(), "HTTP/1.1 431 ")
		c.send(reqmod(get("http://ok.test/"), false, allow))
		assert.Contains(t, c.head(), " 204 ")
	}
}
