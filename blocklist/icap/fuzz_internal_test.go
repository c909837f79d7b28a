package icap

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http/httputil"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/blocktest"
	"github.com/argine-dns/argine/blocklist/httpfilter"
)

// recorded is a connection that sends what is in it, and keeps what it gets.
type recorded struct {
	net.Conn
	in  io.Reader
	out bytes.Buffer
}

func (r *recorded) Read(p []byte) (int, error)       { return r.in.Read(p) }
func (r *recorded) Write(p []byte) (int, error)      { return r.out.Write(p) }
func (r *recorded) Close() error                     { return nil }
func (r *recorded) SetReadDeadline(time.Time) error  { return nil }
func (r *recorded) SetWriteDeadline(time.Time) error { return nil }

func newFuzzed(f *testing.F) func(text []byte) []byte {
	store := blocktest.NewStore(f, "blocked.test", "https://site.test/user/*")
	s := &Server{Filter: httpfilter.Filter{List: store}, Version: store.Version, Log: slog.New(slog.DiscardHandler)}
	return func(text []byte) []byte {
		r := &recorded{in: bytes.NewReader(text)}
		newConn(s, r).serve()
		return r.out.Bytes()
	}
}

// Whatever comes, the service ends it with whole answers, and does not write more than it was sent and its refusals.
func FuzzServe(f *testing.F) {
	serve := newFuzzed(f)
	const head = "GET http://blocked.test/ HTTP/1.1\r\nHost: x\r\n\r\n"
	f.Add([]byte("OPTIONS icap://h/reqmod ICAP/1.0\r\nHost: h\r\n\r\n"))
	f.Add(fmt.Appendf(nil, "REQMOD icap://h/reqmod ICAP/1.0\r\nAllow: 204\r\nPreview: 0\r\nEncapsulated: req-hdr=0, req-body=%d\r\n\r\n%s0; ieof\r\n\r\n", len(head), head))
	f.Add(fmt.Appendf(nil, "REQMOD icap://h/reqmod ICAP/1.0\r\nEncapsulated: req-hdr=0, req-body=%d\r\n\r\n%s3\r\nabc\r\n0\r\nA: b\r\n\r\n", 5, "GET /"))
	f.Fuzz(func(t *testing.T, text []byte) {
		out := serve(text)
		require.True(t, len(out) == 0 || bytes.HasPrefix(out, []byte("ICAP/1.0 ")))
		require.LessOrEqual(t, len(out), 20*len(text)+2000)
	})
}

// A request that is not listed comes back as it was, header and body; and what is listed does not, whatever is around
// it.
func FuzzEcho(f *testing.F) {
	serve := newFuzzed(f)
	f.Add("GET http://example.org/ HTTP/1.1\r\n\r\n", []byte("body"))
	f.Add("CONNECT example.org:443 HTTP/1.1\r\nHost: a\r\n\r\n", []byte{})
	f.Fuzz(func(t *testing.T, head string, body []byte) {
		if len(head) == 0 || len(head) > maxHTTPHead/2 {
			return
		}
		send := func(head string) *bufio.Reader {
			var b bytes.Buffer
			fmt.Fprintf(&b, "REQMOD icap://h/reqmod ICAP/1.0\r\nEncapsulated: req-hdr=0, req-body=%d\r\n\r\n%s", len(head), head)
			w := httputil.NewChunkedWriter(&b)
			w.Write(body)
			w.Close()
			b.WriteString("\r\n")
			return bufio.NewReader(bytes.NewReader(serve(b.Bytes())))
		}
		r := send(head)
		answer, err := readHead(r)
		require.NoError(t, err)
		if bytes.Contains(answer, []byte("req-hdr=0")) {
			got := make([]byte, len(head))
			_, err := io.ReadFull(r, got)
			require.NoError(t, err)
			require.Equal(t, head, string(got))
			var echoed bytes.Buffer
			require.NoError(t, copyBody(&echoed, r))
			require.True(t, bytes.Equal(body, echoed.Bytes()))
		}
		answer, err = readHead(send("GET http://site.test/user/a?" + strings.ReplaceAll(head, "#", "")))
		require.NoError(t, err)
		require.Contains(t, string(answer), "res-hdr=0")
	})
}
