package secure

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHandshakes(t *testing.T) {
	t.Parallel()
	var h handshakes
	ctx, end := context.WithCancel(t.Context())
	begin := func(client string, verified bool) error {
		info := quic.ClientInfo{RemoteAddr: &net.UDPAddr{IP: net.ParseIP(client), Port: 1}, AddrVerified: verified}
		_, err := h.begin(ctx, &info)
		return err
	}
	for range maxOfClient {
		require.NoError(t, begin("2001:db8::1", true))
	}
	require.ErrorIs(t, begin("2001:db8:0:ff::1", true), errHandshakes, "the same network")
	require.NoError(t, begin("2001:db8:0:100::1", true))
	require.NoError(t, begin("2001:db8::1", false), "it may be forged")
	for i := h.open; i < maxHandshakes; i++ {
		require.NoError(t, begin("192.0.2.1", false))
	}
	require.ErrorIs(t, begin("192.0.2.2", true), errHandshakes)
	assert.True(t, h.mustVerify(nil))
	end()
	require.Eventually(t, func() bool { h.mu.Lock(); defer h.mu.Unlock(); return h.open == 0 && len(h.of) == 0 }, 5*time.Second, time.Millisecond)
	require.NoError(t, begin("2001:db8::1", true))
}
