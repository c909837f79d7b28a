package secure_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/blocktest"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/certtest"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
	"github.com/argine-dns/argine/dnsfilter/secure"
	"github.com/argine-dns/argine/dnsfilter/upstream"
	"github.com/argine-dns/argine/testdata/freeport"
)

// timeLimit is for what has to happen, and longer than a loaded machine needs.
const timeLimit = 30 * time.Second

const zoneText = `
$TTL 300
example.org.      SOA ns.example.org. hostmaster.example.org. 1 3600 600 86400 60
example.org.      A   192.0.2.1
page.example.org. A   127.0.0.1
test.             SOA ns.test. hostmaster.test. 1 3600 600 86400 60
nxdomain.test.    TXT "not blocked"
slow.test.        A   192.0.2.3
www.example.org.  TXT "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789"
`

// longText has an answer that quic-go does not keep whole for a client without room for it.
var longText = "long.example.org. TXT" + strings.Repeat(` "`+strings.Repeat("x", 250)+`"`, 15) + "\n"

// newCertificate makes a certificate for resolver.example and 127.0.0.1, and the pool that trusts it.
func newCertificate(t testing.TB) (*tls.Certificate, *x509.CertPool) {
	t.Helper()
	cert, key := certtest.New(t)
	pair, err := tls.X509KeyPair(cert, key)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(cert))
	return &pair, roots
}

// resolver is a running server with all encrypted transports.
type resolver struct {
	engine           *dnsfilter.Server
	tls, https, quic string // addresses
	roots            *x509.CertPool
	stop             func() error // ends the server, and returns its error
}

// start runs a server that blocks nxdomain.test and drops drop.test, until the test ends.
func start(t testing.TB, c dnsfilter.Config) *resolver {
	t.Helper()
	zone, err := upstream.NewZone(zoneText + longText)
	require.NoError(t, err)
	c.Upstream, c.Store = slowly{zone}, blocktest.NewStore(t)
	for name, action := range map[string]dnsfilter.Action{"n": dnsfilter.NXDomain, "d": dnsfilter.Drop, "inside": dnsfilter.Refused} {
		blocktest.SetList(t, c.Store, name, map[string]string{"n": "nxdomain.test", "d": "drop.test", "inside": "inside.test"}[name])
		c.Policy.Rules = append(c.Policy.Rules, dnsfilter.Rule{List: name, Action: action})
	}
	engine, err := dnsfilter.New(c)
	require.NoError(t, err)
	l, err := dnsfilter.Listen(t.Context(), "tls://127.0.0.1:0", "https://"+freeport.Addr(t), "quic://127.0.0.1:0")
	require.NoError(t, err)
	certificate, roots := newCertificate(t)
	r := &resolver{
		engine: engine, roots: roots, tls: l.TLS[0].Addr().String(), https: l.HTTPS[0].Addr().String(),
		quic: l.QUIC[0].LocalAddr().String(),
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- secure.Serve(ctx, engine, l, func() *tls.Certificate { return certificate }) }()
	r.stop = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() { assert.NoError(t, r.stop()) })
	return r
}

func (r *resolver) config(protocols ...string) *tls.Config {
	return &tls.Config{RootCAs: r.roots, NextProtos: protocols}
}

// client returns an HTTP client that trusts the server.
func (r *resolver) client(t testing.TB, version2 bool) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: r.config(), ForceAttemptHTTP2: version2}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: timeLimit}
}

func networks(all ...string) (prefixes []netip.Prefix) {
	for _, text := range all {
		prefixes = append(prefixes, netip.MustParsePrefix(text))
	}
	return prefixes
}

func pack(t testing.TB, m *dns.Msg) []byte {
	t.Helper()
	packed, err := m.Pack()
	require.NoError(t, err)
	return packed
}

func unpack(t testing.TB, packed []byte) *dns.Msg {
	t.Helper()
	m := new(dns.Msg)
	require.NoError(t, m.Unpack(packed))
	return m
}

// dialTLS connects over TLS.
func (r *resolver) dialTLS(t testing.TB, c *tls.Config) *dns.Conn {
	t.Helper()
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: timeLimit}, "tcp", r.tls, c)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(timeLimit)))
	return &dns.Conn{Conn: conn}
}

func exchange(t testing.TB, c *dns.Conn, m *dns.Msg) *dns.Msg {
	t.Helper()
	require.NoError(t, c.WriteMsg(m))
	reply, err := c.ReadMsg()
	require.NoError(t, err)
	return reply
}

func TestTLS(t *testing.T) {
	t.Parallel()
	r := start(t, dnsfilter.Config{})
	c := r.config("dot")
	c.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	for _, resumed := range []bool{false, true} {
		conn := r.dialTLS(t, c)
		assert.Len(t, exchange(t, conn, dnstest.Question("example.org.", dns.TypeA)).Answer, 1)
		assert.Equal(t, dns.RcodeNameError, exchange(t, conn, dnstest.Question("www.nxdomain.test.", dns.TypeA)).Rcode)
		secured, ok := conn.Conn.(*tls.Conn)
		require.True(t, ok)
		assert.Equal(t, "dot", secured.ConnectionState().NegotiatedProtocol)
		assert.Equal(t, resumed, secured.ConnectionState().DidResume)
		require.NoError(t, conn.Close())
	}
	stats := r.engine.Stats()
	assert.EqualValues(t, 2, stats.Answers[dnsfilter.Answer{Transport: dnsfilter.TLS, Type: "A", Rcode: "NOERROR"}])
	assert.EqualValues(t, 2, stats.Encrypted.Accepted)
}

// TestPadding pads answers to 468 bytes, if the query has the padding option (RFC 7830, RFC 8467): of the cache, of the
// upstream, blocked, and of the slow path.
func TestPadding(t *testing.T) {
	t.Parallel()
	r := start(t, dnsfilter.Config{})
	conn := r.dialTLS(t, r.config())
	for _, name := range []string{"example.org.", "www.example.org.", "nxdomain.test.", "inside.test."} {
		for _, qtype := range []uint16{dns.TypeA, dns.TypeA, dns.TypeTXT, dns.TypeAXFR} {
			m := dnstest.Question(name, qtype).SetEdns0(1232, false)
			assert.NotEqual(t, 468, exchange(t, conn, m).Len(), "not asked for")
			m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_PADDING{Padding: make([]byte, 20)}}
			require.NoError(t, conn.WriteMsg(m))
			size := make([]byte, 2)
			_, err := io.ReadFull(conn.Conn, size)
			require.NoError(t, err)
			require.Equal(t, []byte{468 >> 8, 468 & 0xff}, size, "%s %d", name, qtype)
			packed := make([]byte, 468)
			_, err = io.ReadFull(conn.Conn, packed)
			require.NoError(t, err)
			unpack(t, packed)
		}
	}
}

// TestKeepalive says how long the connection may be idle (RFC 7828).
func TestKeepalive(t *testing.T) {
	t.Parallel()
	r := start(t, dnsfilter.Config{})
	m := dnstest.Question("example.org.", dns.TypeA).SetEdns0(1232, false)
	m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_TCP_KEEPALIVE{Code: dns.EDNS0TCPKEEPALIVE}}
	reply := exchange(t, r.dialTLS(t, r.config()), m)
	require.Len(t, reply.IsEdns0().Option, 1)
	option, ok := reply.IsEdns0().Option[0].(*dns.EDNS0_TCP_KEEPALIVE)
	require.True(t, ok)
	assert.EqualValues(t, 300, option.Timeout)
	assert.Empty(t, r.post(t, r.client(t, true), pack(t, m)).IsEdns0().Option, "HTTP has timeouts of its own")
}

// reply is an answer over HTTPS.
type reply struct {
	*dns.Msg

	header  http.Header
	version int
}

// request sends a request by POST, or by GET if there is no body.
func (r *resolver) request(c *http.Client, path string, body []byte) (status int, b []byte, header http.Header, version int, err error) {
	var response *http.Response
	if body == nil {
		response, err = c.Get("https://" + r.https + path)
	} else {
		response, err = c.Post("https://"+r.https+path, "application/dns-message", bytes.NewReader(body))
	}
	if err != nil {
		return 0, nil, nil, 0, err
	}
	defer response.Body.Close()
	b, err = io.ReadAll(response.Body)
	return response.StatusCode, b, response.Header, response.ProtoMajor, err
}

// post gets an answer by POST.
func (r *resolver) post(t testing.TB, c *http.Client, packed []byte) reply {
	t.Helper()
	status, b, header, version, err := r.request(c, "/dns-query", packed)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
	return reply{unpack(t, b), header, version}
}

// noAnswer sends a query, and expects that nothing comes back.
func (r *resolver) noAnswer(t testing.TB, c *http.Client, m *dns.Msg) {
	t.Helper()
	_, _, _, _, err := r.request(c, "/dns-query", pack(t, m)) //nolint:dogsled // only the error counts
	assert.Error(t, err)
}

func TestHTTPS(t *testing.T) {
	t.Parallel()
	r := start(t, dnsfilter.Config{})
	for _, version2 := range []bool{false, true} {
		c := r.client(t, version2)
		for _, test := range []struct {
			name  string
			qtype uint16
			rcode int
			ttl   uint32 // 0: must not be kept
		}{
			{"example.org.", dns.TypeA, dns.RcodeSuccess, 300},
			{"example.org.", dns.TypeAAAA, dns.RcodeSuccess, 60},
			{"www.nxdomain.test.", dns.TypeA, dns.RcodeNameError, 30},
			{"inside.test.", dns.TypeA, dns.RcodeRefused, 0},
		} {
			packed := pack(t, dnstest.Question(test.name, test.qtype))
			_, b, header, version, err := r.request(c, "/dns-query?x=1&dns="+base64.RawURLEncoding.EncodeToString(packed), nil)
			require.NoError(t, err)
			for _, got := range []reply{{unpack(t, b), header, version}, r.post(t, c, packed)} {
				assert.Equal(t, test.rcode, got.Rcode)
				assert.Equal(t, binary.BigEndian.Uint16(packed), got.Id)
				assert.Equal(t, "application/dns-message", got.header.Get("Content-Type"))
				want := "no-store"
				if test.ttl > 0 {
					// The cache counts the TTL down, so what the header may say is what the answer says (RFC 8484, 5.1).
					ttl := append(got.Answer, got.Ns...)[0].Header().Ttl
					assert.LessOrEqual(t, ttl, test.ttl)
					assert.Greater(t, ttl+30, test.ttl)
					want = fmt.Sprintf("private, max-age=%d", ttl)
				}
				assert.Equal(t, want, got.header.Get("Cache-Control"))
				assert.Equal(t, version2, got.version == 2)
			}
		}
		r.noAnswer(t, c, dnstest.Question("drop.test.", dns.TypeA))
	}
}

// TestBadRequests gets the statuses of HTTP.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	r := start(t, dnsfilter.Config{})
	c, good := r.client(t, true), pack(t, dnstest.Question("example.org.", dns.TypeA))
	for _, test := range []struct {
		method, path, media string
		body                []byte
		status              int
	}{
		{"GET", "/", "", nil, http.StatusNotFound},
		{"GET", "/dns-query", "", nil, http.StatusBadRequest},
		{"GET", "/dns-query?dns=", "", nil, http.StatusBadRequest},
		{"GET", "/dns-query?dns=!!!", "", nil, http.StatusBadRequest},
		{"GET", "/dns-query?dns=AAAA", "", nil, http.StatusBadRequest},
		{"GET", "/dns-query?dns=" + base64.RawURLEncoding.EncodeToString(make([]byte, 4097)), "", nil, http.StatusRequestURITooLong},
		{"PUT", "/dns-query", "application/dns-message", good, http.StatusMethodNotAllowed},
		{"POST", "/dns-query", "text/plain", good, http.StatusUnsupportedMediaType},
		{"POST", "/dns-query", "application/dns-message", good[:11], http.StatusBadRequest},
		{"POST", "/dns-query", "application/dns-message", make([]byte, 4097), http.StatusRequestEntityTooLarge},
		{"POST", "/dns-query", "application/dns-message", good, http.StatusOK},
	} {
		request, err := http.NewRequestWithContext(t.Context(), test.method, "https://"+r.https+test.path, bytes.NewReader(test.body))
		require.NoError(t, err)
		request.Header.Set("Content-Type", test.media)
		response, err := c.Do(request)
		require.NoError(t, err)
		assert.NoError(t, response.Body.Close())
		assert.Equal(t, test.status, response.StatusCode, "%+v", test)
	}
}

// proxyHeader is the PROXY header of a client.
func proxyHeader(client netip.Addr) []byte {
	h := append([]byte("\r\n\r\n\x00\r\nQUIT\n"), 0x21, 0x11, 0, 12)
	return append(append(h, client.AsSlice()...), 127, 0, 0, 1, 4, 0, 3, 85)
}

// proxied connects and sends a PROXY header before TLS.
func proxied(header []byte) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err == nil {
			_, err = conn.Write(header)
		}
		return conn, err
	}
}

// TestProxies believes a proxy, over TLS and HTTPS: the view of the client behind it counts.
func TestProxies(t *testing.T) {
	t.Parallel()
	view := dnsfilter.View{Clients: networks("10.1.0.0/16")}
	r := start(t, dnsfilter.Config{Proxies: networks("127.0.0.0/8"), Policy: dnsfilter.Policy{Views: []dnsfilter.View{view}}})
	for client, rcode := range map[string]int{"10.0.0.1": dns.RcodeNameError, "10.1.0.1": dns.RcodeSuccess, "203.0.113.1": -1, "": -1} {
		var header []byte
		if client != "" {
			header = proxyHeader(netip.MustParseAddr(client))
		}
		dial := proxied(header)
		m := dnstest.Question("nxdomain.test.", dns.TypeTXT)
		conn, err := dial(t.Context(), "tcp", r.tls)
		require.NoError(t, err)
		secured := tls.Client(conn, &tls.Config{RootCAs: r.roots, ServerName: "127.0.0.1"})
		c := &dns.Conn{Conn: secured}
		t.Cleanup(func() { _ = c.Close() })
		require.NoError(t, c.SetDeadline(time.Now().Add(timeLimit)))
		transport := &http.Transport{TLSClientConfig: r.config(), DialContext: dial}
		t.Cleanup(transport.CloseIdleConnections)
		web := &http.Client{Transport: transport, Timeout: timeLimit}
		if rcode < 0 {
			assert.Error(t, c.WriteMsg(m))
			r.noAnswer(t, web, m)
			continue
		}
		assert.Equal(t, rcode, exchange(t, c, m).Rcode)
		assert.Equal(t, rcode, r.post(t, web, pack(t, m)).Rcode)
	}
	assert.EqualValues(t, 2, r.engine.Stats().BadHeaders)
}
