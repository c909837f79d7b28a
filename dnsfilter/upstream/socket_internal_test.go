package upstream

import (
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type counted struct{ answers int }

func (c *counted) Answer([]byte, error) { c.answers++ }

// TestRefusedWhileAskedTwice has a resolver go away that was asked twice, as when it was silent first.
func TestRefusedWhileAskedTwice(t *testing.T) {
	t.Parallel()
	f, err := New(Endpoint{Addr: netip.MustParseAddrPort("127.0.0.1:9")})
	require.NoError(t, err)
	l, to := f.newLane(nil), new(counted)
	l.mu.Lock()
	e := l.newExchange([]byte("\x00\x00\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01"), to)
	for range rounds {
		l.try(e, 0, time.Now())
	}
	s := l.sockets[l.turn]
	l.mu.Unlock()
	require.NotNil(t, s)
	s.refused(syscall.ECONNREFUSED)
	assert.Equal(t, 1, to.answers)
	assert.Empty(t, l.live)
	s.conn.Close()
}
