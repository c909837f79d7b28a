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

// TestRefusedWhileAskedTwice has the system say of a resolver that was asked twice that it can't be reached. Anybody
// may have made it say so: a reply is waited for, but not for long.
func TestRefusedWhileAskedTwice(t *testing.T) {
	t.Parallel()
	f, err := New(Endpoint{Addr: netip.MustParseAddrPort("127.0.0.1:9")})
	require.NoError(t, err)
	p, to := f.newPool(nil), new(counted)
	p.mu.Lock()
	p.ticking = true // not by itself
	q := p.newQuery([]byte("\x00\x00\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01"), to)
	for range rounds {
		p.ask(q, 0, time.Now())
	}
	s := p.sockets[p.port]
	p.mu.Unlock()
	require.NotNil(t, s)
	for range 10 {
		s.onError(syscall.ECONNREFUSED)
	}
	assert.Zero(t, to.answers)
	assert.Equal(t, rounds, q.n, "it is asked no more often for being told again")
	assert.WithinDuration(t, time.Now().Add(lastTimeout), q.next, lastTimeout/2)
	p.mu.Lock()
	done, ok := p.failOver(q, q.next, context.DeadlineExceeded)
	p.mu.Unlock()
	require.True(t, ok)
	assert.Equal(t, to, done.to)
	assert.ErrorIs(t, done.err, syscall.ECONNREFUSED)
	s.conn.Close()
}
