package dnsfilter

import (
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
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
