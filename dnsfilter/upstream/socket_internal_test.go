package upstream

import (
	"context"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type counted struct {
	answers int
	err     error
}

func (c *counted) Accept([]byte) bool { return true }

func (c *counted) Answer(_ []byte, err error) { c.answers, c.err = c.answers+1, err }

// TestRefusedWhileAskedTwice has the system say of a resolver that was asked twice that it can't be reached. Anybody may have made it
// say so: a reply is waited for, but not for long.
func TestRefusedWhileAskedTwice(t *testing.T) {
	t.Parallel()
	f, err := New(Endpoint{Addr: netip.MustParseAddrPort("127.0.0.1:9")})
	require.NoError(t, err)
	l, to := f.newLane(nil), new(counted)
	l.mu.Lock()
	l.ticking = true // not by itself
	e := l.newExchange([]byte("\x00\x00\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01"), to)
	for range rounds {
		l.try(e, 0, time.Now())
	}
	s := l.sockets[l.turn]
	l.mu.Unlock()
	require.NotNil(t, s)
	for range 10 {
		s.refused(syscall.ECONNREFUSED)
	}
	assert.Zero(t, to.answers)
	assert.Equal(t, rounds, e.n, "it is asked no more often for being told again")
	assert.WithinDuration(t, time.Now().Add(lastPatience), e.next, lastPatience/2)
	l.mu.Lock()
	done, ok := l.advance(e, e.next, context.DeadlineExceeded)
	l.mu.Unlock()
	require.True(t, ok)
	assert.Equal(t, to, done.to)
	assert.ErrorIs(t, done.err, syscall.ECONNREFUSED)
	s.conn.Close()
}
