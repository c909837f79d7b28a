package secure_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

// dialQUIC connects over QUIC.
func (r *resolver) dialQUIC(t testing.TB) *quic.Conn {
	t.Helper()
	conn, err := quic.DialAddr(t.Context(), r.quic, r.config("doq"), nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.CloseWithError(0, "") })
	return conn
}

// send sends bytes on a new stream, ends it, and returns what comes back.
func send(t testing.TB, conn *quic.Conn, sent []byte) ([]byte, error) {
	t.Helper()
	stream, err := conn.OpenStreamSync(t.Context())
	if err != nil {
		return nil, err
	}
	require.NoError(t, stream.SetDeadline(time.Now().Add(timeLimit)))
	if _, err := stream.Write(sent); err != nil {
		return nil, err
	}
	require.NoError(t, stream.Close())
	return io.ReadAll(stream)
}

// framed returns a message with its length before it.
func framed(t testing.TB, m *dns.Msg) []byte {
	t.Helper()
	packed := pack(t, m)
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(packed))), packed...)
}

func (r *resolver) overQUIC(t testing.TB, conn *quic.Conn, m *dns.Msg) *dns.Msg {
	t.Helper()
	m.Id = 0
	got, err := send(t, conn, framed(t, m))
	require.NoError(t, err)
	require.Equal(t, len(got)-2, int(binary.BigEndian.Uint16(got)))
	return unpack(t, got[2:])
}

func TestQUIC(t *testing.T) {
	t.Parallel()
	r := start(t, dnsfilter.Config{})
	conn := r.dialQUIC(t)
	assert.Len(t, r.overQUIC(t, conn, dnstest.Question("example.org.", dns.TypeA)).Answer, 1)
	assert.Equal(t, dns.RcodeNameError, r.overQUIC(t, conn, dnstest.Question("www.nxdomain.test.", dns.TypeA)).Rcode)
	padded := dnstest.Question("www.example.org.", dns.TypeTXT).SetEdns0(1232, false)
	padded.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_PADDING{}}
	padded.Id = 0
	got, err := send(t, conn, framed(t, padded))
	require.NoError(t, err)
	assert.Len(t, got, 2+468)
	_, err = send(t, conn, framed(t, &dns.Msg{Question: dnstest.Question("drop.test.", dns.TypeA).Question}))
	var reset *quic.StreamError
	require.ErrorAs(t, err, &reset, "no answer")
	assert.EqualValues(t, 5, reset.ErrorCode)
	assert.EqualValues(t, 1, r.engine.Stats().Answers[dnsfilter.Answer{Transport: dnsfilter.QUIC, Type: "TXT", Rcode: "NOERROR"}])
	assert.Equal(t, 1, r.engine.Stats().Encrypted.Open)
	require.NoError(t, conn.CloseWithError(0, ""))
	require.Eventually(t, func() bool { return r.engine.Stats().Encrypted.Open == 0 }, timeLimit, time.Millisecond)
}

// TestProtocolErrors closes the connection (RFC 9250, section 4.3.3).
func TestProtocolErrors(t *testing.T) {
	t.Parallel()
	r := start(t, dnsfilter.Config{})
	good := dnstest.Question("example.org.", dns.TypeA)
	good.Id = 0
	withID := dnstest.Question("example.org.", dns.TypeA)
	withID.Id = 1
	keepalive := good.Copy().SetEdns0(1232, false)
	keepalive.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_TCP_KEEPALIVE{Code: dns.EDNS0TCPKEEPALIVE}}
	for name, sent := range map[string][]byte{
		"nothing": {}, "half a length": {0}, "half a query": framed(t, good)[:20], "two queries": bytes.Repeat(framed(t, good), 2),
		"an id": framed(t, withID), "keepalive": framed(t, keepalive), "empty": {0, 0},
	} {
		_, err := send(t, r.dialQUIC(t), sent)
		var closed *quic.ApplicationError
		if assert.ErrorAs(t, err, &closed, name) {
			assert.EqualValues(t, 2, closed.ErrorCode, name)
		}
	}
}

func TestHTTP3(t *testing.T) {
	t.Parallel()
	r := start(t, dnsfilter.Config{})
	transport := &http3.Transport{TLSClientConfig: r.config()}
	t.Cleanup(func() { _ = transport.Close() })
	c := &http.Client{Transport: transport, Timeout: timeLimit}
	got := r.post(t, c, pack(t, dnstest.Question("example.org.", dns.TypeA)))
	assert.Equal(t, 3, got.version)
	assert.Len(t, got.Answer, 1)
	status, _, _, _, err := r.request(c, "/", nil) //nolint:dogsled // the status counts
	require.NoError(t, err)
	assert.Equal(t, http.StatusNotFound, status)
	r.noAnswer(t, c, dnstest.Question("drop.test.", dns.TypeA))
	assert.EqualValues(t, 1, r.engine.Stats().Encrypted.Accepted)
}

// TestStrangersAreNotAdmitted closes the connections of clients that are not served.
func TestStrangersAreNotAdmitted(t *testing.T) {
	t.Parallel()
	r := start(t, dnsfilter.Config{Clients: networks("192.0.2.0/24")})
	_, err := send(t, r.dialQUIC(t), framed(t, &dns.Msg{Question: dnstest.Question("example.org.", dns.TypeA).Question}))
	assert.Error(t, err)
	r.noAnswer(t, r.client(t, true), dnstest.Question("example.org.", dns.TypeA))
	transport := &http3.Transport{TLSClientConfig: r.config()}
	t.Cleanup(func() { _ = transport.Close() })
	r.noAnswer(t, &http.Client{Transport: transport, Timeout: timeLimit}, dnstest.Question("example.org.", dns.TypeA))
	assert.Zero(t, r.engine.Stats().Encrypted.Accepted)
}
