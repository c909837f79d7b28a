package dnsfilter

import (
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// TestBusyConnectionsMakeRoom lets clients that have all their connections wait for answers keep no one out.
func TestBusyConnectionsMakeRoom(t *testing.T) {
	t.Parallel()
	cs := connections{max: maxConns}
	busy := func(client string) *Conn {
		c := &Conn{from: clientKey(netip.MustParseAddr(client))}
		c.waiting.Store(1)
		return c
	}
	for client := 0; cs.count() < maxConns; client++ {
		for range maxConnsPerClient {
			cs.add(busy(fmt.Sprintf("198.51.100.%d", client)))
		}
	}
	instead, ok := cs.add(busy("192.0.2.1"))
	assert.True(t, ok)
	assert.NotNil(t, instead, "one of a client that has more")
	assert.Equal(t, maxConns, cs.count())
	assert.Equal(t, clientKey(netip.MustParseAddr("2001:db8:0:1::1")), clientKey(netip.MustParseAddr("2001:db8:0:ff::1")))
}

type noCloser struct{}

func (noCloser) Close() error { return nil }

// TestIdleConnectionsMakeRoom closes one that has asked nothing for long when all clients have one connection.
func TestIdleConnectionsMakeRoom(t *testing.T) {
	t.Parallel()
	cs := connections{max: sampled}
	connect := func(client, asked int64) *Conn {
		c := &Conn{from: uint64(client)}
		c.asked.Store(asked)
		victim, ok := cs.add(c)
		assert.True(t, ok)
		return victim
	}
	for client := range int64(sampled) {
		assert.Nil(t, connect(client, (client+7)%sampled))
	}
	for asked := range int64(sampled) {
		assert.Equal(t, asked, connect(1000+asked, 1000+asked).asked.Load())
	}
	assert.Equal(t, sampled, cs.count())
}

// over is a connection that arrived at an address.
type over struct {
	noCloser
	net.Addr
}

func (o over) LocalAddr() net.Addr { return o.Addr }

// TestQUICHasALimitOfItsOwn counts HTTP/3 among the connections over QUIC, and HTTP/2 among those over TCP.
func TestQUICHasALimitOfItsOwn(t *testing.T) {
	t.Parallel()
	s, err := New(Config{Upstream: new(upstream.Zone)})
	require.NoError(t, err)
	client := netip.MustParseAddr("127.0.0.1")
	require.NotNil(t, s.Admit(over{Addr: &net.UDPAddr{}}, client, HTTPS))
	require.NotNil(t, s.Admit(over{Addr: &net.UDPAddr{}}, client, QUIC))
	require.NotNil(t, s.Admit(over{Addr: &net.TCPAddr{}}, client, HTTPS))
	assert.Equal(t, 2, s.quic.count())
	assert.Equal(t, 1, s.encrypted.count())
	assert.Equal(t, 3, s.Stats().Encrypted.Open)
}

// BenchmarkAdmitWhenFull admits connections where each replaces one of another client, as when all clients of a large
// network have one.
func BenchmarkAdmitWhenFull(b *testing.B) {
	cs := connections{max: maxEncrypted}
	for n := 0; b.Loop(); n++ {
		for ; n < maxEncrypted; n++ {
			cs.admit(&Conn{from: uint64(n), closer: noCloser{}})
		}
		cs.admit(&Conn{from: uint64(n), closer: noCloser{}})
	}
}

// TestTheSlowPathIsFair leaves room on the slow path for others than the network that fills it.
func TestTheSlowPathIsFair(t *testing.T) {
	t.Parallel()
	var u socket
	var one, other atomic.Int32
	for range maxSlowPath {
		u.enterSlowPath(&one)
	}
	assert.EqualValues(t, maxSlowPath/4*3, u.slowPath.Load())
	assert.True(t, u.enterSlowPath(&other))
	u.leaveSlowPath(&other)
	assert.Zero(t, other.Load())
}
