package internal_test

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/internal/batch"
)

const timeLimit = 30 * time.Second

func listen(t testing.TB, addr string) *net.UDPConn {
	t.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr)))
	require.NoError(t, err)
	return conn
}

func dial(t testing.TB, to net.Addr) *net.UDPConn {
	t.Helper()
	c, err := net.Dial("udp", to.String())
	require.NoError(t, err)
	client, ok := c.(*net.UDPConn)
	require.True(t, ok)
	require.NoError(t, client.SetDeadline(time.Now().Add(2*timeLimit)))
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// open adds a socket to a loop, and closes it when the test ends.
func open(t testing.TB, l *batch.Loop, conn *net.UDPConn) *batch.Socket {
	t.Helper()
	s, err := l.Open(conn)
	require.NoError(t, err)
	t.Cleanup(func() { closeNow(t, s) })
	return s
}

func closeNow(t testing.TB, s *batch.Socket) {
	t.Helper()
	s.Close()
	select {
	case <-s.Closed():
	case <-time.After(timeLimit):
		t.Fatal("the socket was not closed")
	}
}

// echo has a socket send back what it reads.
func echo(s *batch.Socket) {
	out := s.NewWriter()
	s.Read(func(in *batch.Datagrams, err error) {
		for i := 0; err == nil && i < in.Len(); i++ {
			if packet := in.Packet(i); packet != nil {
				out.Add(packet, in.Peer(i))
			}
		}
		out.Flush()
	})
}

// TestEcho sends datagrams of many lengths from several sockets to two of a loop, and gets each of them back.
func TestEcho(t *testing.T) {
	t.Parallel()
	loop := batch.NewLoop(func() {})
	var clients []net.Conn
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		conn := listen(t, addr)
		clients = append(clients, dial(t, conn.LocalAddr()), dial(t, conn.LocalAddr()))
		echo(open(t, loop, conn))
	}
	for i := range 200 {
		client := clients[i%len(clients)]
		sent := make([]byte, i+1)
		copy(sent, fmt.Sprint(i))
		_, err := client.Write(make([]byte, batch.MaxDatagram+1)) // too long, passed over
		require.NoError(t, err)
		_, err = client.Write(sent)
		require.NoError(t, err)
		got := make([]byte, 1000)
		n, err := client.Read(got)
		require.NoError(t, err)
		assert.Equal(t, sent, got[:n])
	}
}

func TestPeerIsTheSender(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		conn, peers := listen(t, addr), make(chan netip.AddrPort, 1)
		client := dial(t, conn.LocalAddr())
		open(t, batch.NewLoop(func() {}), conn).Read(func(in *batch.Datagrams, err error) {
			if assert.NoError(t, err) {
				peers <- in.Peer(0).Addr()
			}
		})
		_, err := client.Write([]byte("x"))
		require.NoError(t, err)
		select {
		case peer := <-peers:
			assert.Equal(t, client.LocalAddr().String(), peer.String())
		case <-time.After(timeLimit):
			t.Fatal("nothing was read")
		}
	}
}

// TestSocketsComeAndGo opens and closes sockets from several goroutines, while others are used. A loop that has lost
// its last socket begins again with the next.
func TestSocketsComeAndGo(t *testing.T) {
	t.Parallel()
	loop := batch.NewLoop(func() {})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 50 {
				conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
				if !assert.NoError(t, err) {
					return
				}
				client := dial(t, conn.LocalAddr())
				s, err := loop.Open(conn)
				if !assert.NoError(t, err) {
					return
				}
				echo(s)
				_, err = client.Write([]byte("x"))
				assert.NoError(t, err)
				_, err = client.Read(make([]byte, 1))
				assert.NoError(t, err)
				s.Close()
				<-s.Closed()
			}
		})
	}
	all.Wait()
}

// TestCloseRead ends the reading, but not the writing; Close ends both, and the address is free again.
func TestCloseRead(t *testing.T) {
	t.Parallel()
	conn := listen(t, "127.0.0.1:0")
	at := conn.LocalAddr()
	client, peers := dial(t, at), make(chan batch.Peer, 2)
	s := open(t, batch.NewLoop(func() {}), conn)
	s.Read(func(in *batch.Datagrams, _ error) { peers <- *in.Peer(0) })
	_, err := client.Write([]byte("x"))
	require.NoError(t, err)
	peer := <-peers
	s.CloseRead()
	time.Sleep(50 * time.Millisecond)
	_, err = client.Write([]byte("x"))
	require.NoError(t, err)
	out := s.NewWriter()
	out.Add([]byte("answer"), &peer)
	out.Flush()
	got := make([]byte, 10)
	n, err := client.Read(got)
	require.NoError(t, err)
	assert.Equal(t, "answer", string(got[:n]))
	assert.Empty(t, peers)

	closeNow(t, s)
	out.Add([]byte("too late"), &peer)
	out.Flush()
	again := listen(t, at.String())
	require.NoError(t, again.Close())
}

// TestFinish reads what a socket holds when it is finished and closed in one go, while the loop is busy elsewhere.
func TestFinish(t *testing.T) {
	t.Parallel()
	if !batch.CanShare {
		t.Skip("the last read is for systems where a loop reads many sockets")
	}
	const sent = 3 * batch.Size
	loop := batch.NewLoop(func() {})
	busy, begun, goOn := listen(t, "127.0.0.1:0"), make(chan struct{}), make(chan struct{})
	wake := dial(t, busy.LocalAddr())
	open(t, loop, busy).Read(func(*batch.Datagrams, error) { close(begun); <-goOn })
	conn, got := listen(t, "127.0.0.1:0"), 0
	client := dial(t, conn.LocalAddr())
	s := open(t, loop, conn)
	s.Read(func(in *batch.Datagrams, _ error) { got += in.Len() })
	_, err := wake.Write([]byte("x"))
	require.NoError(t, err)
	<-begun
	for range sent {
		_, err := client.Write([]byte("x"))
		require.NoError(t, err)
	}
	s.Finish()
	s.Close()
	close(goOn)
	closeNow(t, s)
	assert.Equal(t, sent, got)
}

// TestConnected sends without addresses, in full batches, and is told that no one listens any more.
func TestConnected(t *testing.T) {
	t.Parallel()
	conn, got := listen(t, "127.0.0.1:0"), make(chan string, 3*batch.Size)
	client := dial(t, conn.LocalAddr())
	s := open(t, batch.NewLoop(func() {}), conn)
	s.Read(func(in *batch.Datagrams, _ error) {
		for i := range in.Len() {
			got <- string(in.Packet(i))
		}
	})
	failed := make(chan error, 1)
	from := open(t, batch.NewLoop(func() {}), client)
	from.Read(func(_ *batch.Datagrams, err error) {
		select {
		case failed <- err:
		default:
		}
	})
	out := from.NewWriter()
	for range 3 {
		for i := range batch.Size {
			require.False(t, out.Full())
			out.Add([]byte(fmt.Sprint("packet ", i)), nil)
		}
		out.Flush()
		for i := range batch.Size {
			assert.Equal(t, fmt.Sprint("packet ", i), <-got)
		}
	}
	closeNow(t, s)
	out.Add([]byte("x"), nil)
	out.Flush()
	select {
	case err := <-failed:
		assert.Error(t, err)
	case <-time.After(timeLimit):
		t.Fatal("the refusal was not told")
	}
}
