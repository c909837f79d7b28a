package batch_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/internal/batch"
)

func listen(t testing.TB, addr string) *net.UDPConn {
	t.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(mustAddrPort(t, addr)))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// TestEcho sends datagrams of many lengths from several sockets, and gets each of them back.
func TestEcho(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		conn := listen(t, addr)
		in, err := batch.NewReader(conn, 600)
		require.NoError(t, err)
		out, err := batch.NewWriter(conn)
		require.NoError(t, err)
		clients := []net.Conn{dial(t, conn), dial(t, conn), dial(t, conn)}
		go echo(in, out)
		for i := range 200 {
			client := clients[i%len(clients)]
			sent := make([]byte, i+1)
			copy(sent, fmt.Sprint(i))
			_, err := client.Write(make([]byte, 601)) // too long, passed over
			require.NoError(t, err)
			_, err = client.Write(sent)
			require.NoError(t, err)
			got := make([]byte, 1000)
			require.NoError(t, client.SetReadDeadline(time.Now().Add(5*time.Second)))
			n, err := client.Read(got)
			require.NoError(t, err)
			assert.Equal(t, sent, got[:n])
		}
		require.NoError(t, conn.Close())
	}
}

// echo sends back what it reads until the socket is closed.
func echo(in *batch.Reader, out *batch.Writer) {
	for {
		n, err := in.Read()
		if err != nil {
			return
		}
		for i := range n {
			if packet := in.Packet(i); packet != nil {
				out.Add(packet, in.Peer(i))
			}
		}
		out.Flush()
	}
}

func TestPeerIsTheSender(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		conn := listen(t, addr)
		in, err := batch.NewReader(conn, 600)
		require.NoError(t, err)
		client := dial(t, conn)
		_, err = client.Write([]byte("x"))
		require.NoError(t, err)
		n, err := in.Read()
		require.NoError(t, err)
		require.Equal(t, 1, n)
		assert.Equal(t, client.LocalAddr().String(), in.Peer(0).Addr().String())
	}
}

func TestReadEnds(t *testing.T) {
	t.Parallel()
	conn := listen(t, "127.0.0.1:0")
	in, err := batch.NewReader(conn, 600)
	require.NoError(t, err)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Millisecond)))
	_, err = in.Read()
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, conn.SetReadDeadline(time.Time{}))
	go func() { _ = conn.Close() }()
	_, err = in.Read()
	assert.ErrorIs(t, err, net.ErrClosed)
}

// TestConnectedPairs sends and reads without addresses, in full batches.
func TestConnectedPairs(t *testing.T) {
	t.Parallel()
	conn := listen(t, "127.0.0.1:0")
	in, err := batch.NewReader(conn, 600)
	require.NoError(t, err)
	client, ok := dial(t, conn).(*net.UDPConn)
	require.True(t, ok)
	out, err := batch.NewWriter(client)
	require.NoError(t, err)
	for range 3 {
		for i := range batch.Size {
			require.False(t, out.Full())
			out.Add([]byte(fmt.Sprint("packet ", i)), nil)
		}
		out.Flush()
		for i := 0; i < batch.Size; {
			n, err := in.Read()
			require.NoError(t, err)
			for k := range n {
				assert.Equal(t, fmt.Sprint("packet ", i), string(in.Packet(k)))
				i++
			}
		}
	}
}

func dial(t testing.TB, to *net.UDPConn) net.Conn {
	t.Helper()
	client, err := net.Dial("udp", to.LocalAddr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func mustAddrPort(t testing.TB, text string) netip.AddrPort {
	t.Helper()
	at, err := netip.ParseAddrPort(text)
	require.NoError(t, err)
	return at
}
