package upstream_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// streamed is a resolver over TCP or TLS that counts its connections.
type streamed struct {
	addr           netip.AddrPort
	conns, resumed atomic.Int64
}

// newStreamed starts a resolver on a listener. Handle gets each query, and may answer when it likes; false closes the
// connection.
func newStreamed(t *testing.T, l net.Listener, handle func(c *dns.Conn, packed []byte) bool) *streamed {
	t.Helper()
	s := &streamed{addr: netip.MustParseAddrPort(l.Addr().String())}
	var wg sync.WaitGroup
	var open sync.Map
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.conns.Add(1)
			open.Store(conn, true)
			wg.Go(func() {
				defer conn.Close()
				c := &dns.Conn{Conn: conn}
				for {
					m, err := c.ReadMsgHeader(nil)
					if secured, ok := conn.(*tls.Conn); ok && err == nil && secured.ConnectionState().DidResume {
						s.resumed.Add(1)
					}
					if err != nil || !handle(c, m) {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() {
		assert.NoError(t, l.Close())
		open.Range(func(c, _ any) bool { return c.(net.Conn).Close() == nil || true })
		wg.Wait()
	})
	return s
}

func respond(c *dns.Conn, packed []byte) {
	var q dns.Msg
	if q.Unpack(packed) == nil {
		_ = c.WriteMsg(reply(&q, dns.RcodeSuccess, "192.0.2.1"))
	}
}

// newCertificate makes a certificate for a name, and the roots that it is verified with.
func newCertificate(t *testing.T, name string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	return newCertificateAt(t, name, time.Now())
}

// newCertificateAt makes one that is valid for an hour before and after a time.
func newCertificateAt(t *testing.T, name string, at time.Time) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	c := x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotBefore: at.Add(-time.Hour), NotAfter: at.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, &c, &c, &key.PublicKey, key)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

func exchange(t *testing.T, f *upstream.Forwarder, name string) (*dns.Msg, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return f.Exchange(ctx, new(dns.Msg).SetQuestion(name, dns.TypeA).SetEdns0(1232, true))
}

// newTLS starts a resolver over TLS and returns how it is asked.
func newTLS(t *testing.T, handle func(c *dns.Conn, packed []byte) bool) (*streamed, upstream.Endpoint) {
	t.Helper()
	certificate, roots := newCertificate(t, "dns.example")
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}})
	require.NoError(t, err)
	s := newStreamed(t, l, handle)
	return s, upstream.Endpoint{Addr: s.addr, Name: "dns.example", Roots: roots}
}

// TestTLS asks many questions at once: they share a connection, whose replies come in the opposite order, and tell by
// their length little of the name.
func TestTLS(t *testing.T) {
	t.Parallel()
	const n = 50
	var mu sync.Mutex
	var held [][]byte
	s, at := newTLS(t, func(c *dns.Conn, packed []byte) bool {
		assert.Zero(t, len(packed)%128)
		mu.Lock()
		defer mu.Unlock()
		if held = append(held, packed); len(held) == n {
			for i := range held {
				respond(c, held[n-1-i])
			}
		}
		return true
	})
	f, err := upstream.New(at)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			m, err := exchange(t, f, fmt.Sprintf("%0*d.example.", i+1, i))
			if assert.NoError(t, err) {
				assert.Len(t, m.Answer, 1)
			}
		})
	}
	wg.Wait()
	assert.EqualValues(t, 1, s.conns.Load())
}

// TestClosedConnections has a resolver that closes each connection after three replies, with questions under way.
func TestClosedConnections(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	s, at := newTLS(t, func(c *dns.Conn, packed []byte) bool {
		respond(c, packed)
		return n.Add(1)%3 != 0
	})
	f, err := upstream.New(at)
	require.NoError(t, err)
	for range 5 {
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				m, err := exchange(t, f, fmt.Sprintf("%d.example.", i))
				if assert.NoError(t, err) {
					assert.Len(t, m.Answer, 1)
				}
			})
		}
		wg.Wait()
	}
	assert.Greater(t, s.conns.Load(), int64(5))
	assert.Positive(t, s.resumed.Load(), "sessions are resumed")
}

func TestCertificatesAreVerified(t *testing.T) {
	t.Parallel()
	asked := func(c *dns.Conn, packed []byte) bool { assert.Fail(t, "asked"); return false }
	_, other := newTLS(t, asked)
	other.Name = "other.example"
	_, unknown := newTLS(t, asked)
	unknown.Roots = nil
	good, at := newTLS(t, func(c *dns.Conn, packed []byte) bool { respond(c, packed); return true })
	for _, bad := range []upstream.Endpoint{other, unknown} {
		f, err := upstream.New(bad)
		require.NoError(t, err)
		_, err = exchange(t, f, "example.org.")
		require.ErrorContains(t, err, "certificate")
		f, err = upstream.New(bad, at)
		require.NoError(t, err)
		m, err := exchange(t, f, "example.org.")
		require.NoError(t, err)
		assert.Len(t, m.Answer, 1, "the next one is asked")
	}
	assert.Positive(t, good.conns.Load())
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	at := upstream.Endpoint{Addr: netip.MustParseAddrPort(l.Addr().String()), Name: "dns.example"}
	require.NoError(t, l.Close())
	f, err := upstream.New(at)
	require.NoError(t, err)
	begin := time.Now()
	_, err = exchange(t, f, "example.org.")
	require.Error(t, err)
	assert.Less(t, time.Since(begin), 5*time.Second)
	live := newFake(t, answering("192.0.2.1"))
	f, err = upstream.New(at, upstream.Endpoint{Addr: live.addr})
	require.NoError(t, err)
	requireAnswer(t, f, "192.0.2.1")
}

// TestCutAnswersShareAConnection has answers that do not fit into datagrams.
func TestCutAnswersShareAConnection(t *testing.T) {
	t.Parallel()
	u, l := listenBoth(t)
	d := &dns.Server{PacketConn: u, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		m.Truncated = true
		_ = w.WriteMsg(m)
	})}
	go func() { assert.NoError(t, d.ActivateAndServe()) }()
	t.Cleanup(func() { assert.NoError(t, d.Shutdown()) })
	s := newStreamed(t, l, func(c *dns.Conn, packed []byte) bool { respond(c, packed); return true })
	f, err := upstream.New(upstream.Endpoint{Addr: s.addr})
	require.NoError(t, err)
	var wg sync.WaitGroup
	for i := range 300 {
		wg.Go(func() {
			m, err := exchange(t, f, fmt.Sprintf("%d.example.", i))
			if assert.NoError(t, err) {
				assert.Len(t, m.Answer, 1)
			}
		})
	}
	wg.Wait()
	assert.LessOrEqual(t, s.conns.Load(), int64(2))
}
