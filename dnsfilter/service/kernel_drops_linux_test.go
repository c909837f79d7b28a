package service

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestKernelDrops fills the buffer of a socket that no one reads.
func TestKernelDrops(t *testing.T) {
	t.Parallel()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetReadBuffer(4096))
	inodes := socketInodes([]*net.UDPConn{conn})
	n, known := kernelDrops(inodes)
	require.True(t, known)
	assert.Zero(t, n)
	client, err := net.Dial("udp", conn.LocalAddr().String())
	require.NoError(t, err)
	defer client.Close()
	for range 100 {
		_, err := client.Write(make([]byte, 1000))
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { n, _ = kernelDrops(inodes); return n > 10 }, time.Minute, 10*time.Millisecond)
	_, known = kernelDrops(nil)
	assert.False(t, known)
}
