package secure_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
	"github.com/argine-dns/argine/testdata/longtest"
)

// from returns a transport that sends from an address.
func from(t *testing.T, ip string) *quic.Transport {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(ip)})
	require.NoError(t, err)
	transport := &quic.Transport{Conn: conn}
	t.Cleanup(func() { _ = transport.Close(); _ = conn.Close() })
	return transport
}

func (r *resolver) at(t *testing.T) *net.UDPAddr {
	t.Helper()
	addr, err := net.ResolveUDPAddr("udp", r.quic)
	require.NoError(t, err)
	return addr
}

func query(t *testing.T, name string) []byte {
	t.Helper()
	m := dnstest.Question(name, dns.TypeA)
	m.Id = 0
	return framed(t, m)
}

// deaf is a socket that gets nothing, as one whose address is forged. It counts what the server asks to verify by.
type deaf struct {
	net.PacketConn

	retries atomic.Int64
}

func (*deaf) SetReadBuffer(int) error  { return nil }
func (*deaf) SetWriteBuffer(int) error { return nil }

func (d *deaf) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, _, err := d.PacketConn.ReadFrom(b)
		if err != nil {
			return 0, nil, err
		}
		if n > 0 && b[0]&0xf0 == 0xf0 { // RFC 9000, section 17.2.5
			d.retries.Add(1)
		}
	}
}

// TestHandshakesThatNeverComplete has the server verify addresses, and go on for others.
func TestHandshakesThatNeverComplete(t *testing.T) {
	t.Parallel()
	longtest.Only(t, "600 clients begin a handshake")
	r := start(t, dnsfilter.Config{})
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	forged := &deaf{PacketConn: conn}
	transport := &quic.Transport{Conn: forged}
	t.Cleanup(func() { _ = transport.Close(); _ = conn.Close() })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range 600 {
		go func() { _, _ = transport.Dial(ctx, r.at(t), r.config("doq"), nil) }()
	}
	require.Eventually(t, func() bool { return forged.retries.Load() > 0 }, 4*timeLimit, time.Millisecond)
	assert.Len(t, r.overQUIC(t, r.dialQUIC(t), dnstest.Question("example.org.", dns.TypeA)).Answer, 1)
	assert.Equal(t, 1, r.engine.Stats().Encrypted.Open)
}

// TestNoEarlyData: a query that somebody sends once more is not answered, since no data comes before the handshake
// (RFC 9250, section 4.5).
func TestNoEarlyData(t *testing.T) {
	t.Parallel()
	r := start(t, dnsfilter.Config{})
	config := r.config("doq")
	config.ServerName, config.ClientSessionCache = "resolver.example", tls.NewLRUClientSessionCache(1)
	for _, resumed := range []bool{false, true} {
		conn, err := quic.DialAddrEarly(t.Context(), r.quic, config, nil)
		require.NoError(t, err)
		assert.Len(t, r.overQUIC(t, conn, dnstest.Question("example.org.", dns.TypeA)).Answer, 1)
		state := conn.ConnectionState()
		assert.Equal(t, resumed, state.TLS.DidResume)
		assert.False(t, state.Used0RTT)
		require.NoError(t, conn.CloseWithError(0, ""))
	}
}

// TestMigration answers a client that has changed its address as the one that it was.
func TestMigration(t *testing.T) {
	t.Parallel()
	r := start(t, dnsfilter.Config{Clients: networks("127.0.0.1/32")})
	before, after := from(t, "127.0.0.1"), from(t, "127.0.0.2")
	conn, err := before.Dial(t.Context(), r.at(t), r.config("doq"), nil)
	require.NoError(t, err)
	assert.Len(t, r.overQUIC(t, conn, dnstest.Question("example.org.", dns.TypeA)).Answer, 1)
	path, err := conn.AddPath(after)
	require.NoError(t, err)
	require.NoError(t, path.Probe(t.Context()))
	require.NoError(t, path.Switch())
	assert.Len(t, r.overQUIC(t, conn, dnstest.Question("example.org.", dns.TypeA)).Answer, 1)
	assert.Contains(t, conn.LocalAddr().String(), "127.0.0.2:")
	assert.Equal(t, 1, r.engine.Stats().Encrypted.Open)
	stranger, err := after.Dial(t.Context(), r.at(t), r.config("doq"), nil)
	require.NoError(t, err)
	_, err = send(t, stranger, query(t, "example.org."))
	assert.Error(t, err, "one that begins there is not served")
}

// TestQUICTimeouts end what is kept open without queries, whatever packets come.
func TestQUICTimeouts(t *testing.T) {
	t.Parallel()
	longtest.Only(t, "it waits for half a minute")
	r := start(t, dnsfilter.Config{})
	begin := time.Now()
	conn, err := quic.DialAddr(t.Context(), r.quic, r.config("doq"), &quic.Config{KeepAlivePeriod: time.Second})
	require.NoError(t, err)
	part, err := conn.OpenStreamSync(t.Context())
	require.NoError(t, err)
	_, err = part.Write([]byte{0})
	require.NoError(t, err)

	transport := &http3.Transport{TLSClientConfig: r.config(), QUICConfig: &quic.Config{KeepAlivePeriod: time.Second}}
	t.Cleanup(func() { _ = transport.Close() })
	body, hold := net.Pipe()
	defer hold.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+r.https+"/dns-query", body)
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/dns-message")
	resp, err := transport.RoundTrip(request)
	if err == nil {
		assert.Equal(t, http.StatusBadRequest, resp.StatusCode)
		require.NoError(t, resp.Body.Close())
	}
	_, err = part.Read(make([]byte, 1))
	var reset *quic.StreamError
	require.ErrorAs(t, err, &reset)
	assert.InDelta(t, 10, time.Since(begin).Seconds(), 8, "a request, and a query")
	select {
	case <-conn.Context().Done():
	case <-time.After(2 * time.Minute):
		assert.Fail(t, "an idle connection stays open")
	}
	assert.InDelta(t, 30, time.Since(begin).Seconds(), 20)
}
