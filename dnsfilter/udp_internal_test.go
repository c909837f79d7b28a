package dnsfilter

import (
	"net"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// TestAFaultCostsOneQuery: of a batch in which one query fails, all others are answered, each once.
func TestAFaultCostsOneQuery(t *testing.T) {
	t.Parallel()
	s := pathsServer(t)
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	client, err := net.DialUDP("udp", nil, conn.LocalAddr().(*net.UDPAddr))
	require.NoError(t, err)
	defer client.Close()
	packed := func(id uint16, name string) []byte {
		m := new(dns.Msg).SetQuestion(name, dns.TypeA)
		m.Id = id
		b, err := m.Pack()
		require.NoError(t, err)
		return b
	}
	s.inflight.by = nil // a question that is not in the cache panics
	const each = 20
	for i := range uint16(each) { // they wait for the server, which takes them at once
		for _, b := range [][]byte{packed(2*i, "a.nxdomain.test."), packed(2*i+1, "fails.test.")} {
			_, err := client.Write(b)
			require.NoError(t, err)
		}
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(t.Context(), &Listeners{UDP: []*net.UDPConn{conn}}) }()
	got, buf := map[uint16]int{}, make([]byte, maxQuery)
	for {
		within := 300 * time.Millisecond
		if len(got) < each {
			within = 10 * time.Second
		}
		require.NoError(t, client.SetReadDeadline(time.Now().Add(within)))
		n, err := client.Read(buf)
		if err != nil {
			break
		}
		require.Greater(t, n, dnswire.HeaderSize)
		got[uint16(dnswire.Uint16(buf, 0))]++
	}
	assert.Len(t, got, each)
	for id, n := range got {
		assert.True(t, id%2 == 0 && n == 1, "%d: %d", id, n)
	}
}
