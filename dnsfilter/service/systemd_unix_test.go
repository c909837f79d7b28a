//go:build unix

package service_test

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/service"
)

// TestSystemdOfAFailedTakeOver: systemd kills a service that said that it stops, and did not. A service whose successor
// has failed goes on, so it must not say that.
func TestSystemdOfAFailedTakeOver(t *testing.T) {
	systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"})
	require.NoError(t, err)
	defer systemd.Close()
	t.Setenv("NOTIFY_SOCKET", systemd.LocalAddr().String())
	told := func() string {
		b := make([]byte, 200)
		require.NoError(t, systemd.SetReadDeadline(time.Now().Add(10*time.Second)))
		n, err := systemd.Read(b)
		require.NoError(t, err)
		return string(b[:n])
	}
	r := newFolder(t, oneList)
	r.write(t, "local.txt", "a.test\n")
	r.write(t, "allow.txt", "b.test\n")
	r.start(t)
	assert.Equal(t, "READY=1", told())
	successor, err := service.TakeOver(t.Context(), filepath.Join(r.dir, "state"))
	require.NoError(t, err)
	require.NoError(t, successor.Close())
	require.Eventually(t, func() bool { return strings.Count(r.log.String(), "msg=serving") == 2 }, time.Minute, 5*time.Millisecond, r.log)
	assert.Equal(t, "READY=1", told())
	assert.Equal(t, dns.RcodeNameError, r.rcode(t, "a.test."))

	successor, err = service.TakeOver(t.Context(), filepath.Join(r.dir, "state"))
	require.NoError(t, err)
	sockets, err := successor.Sockets()
	require.NoError(t, err)
	for _, f := range sockets.Files {
		require.NoError(t, f.Close())
	}
	require.NoError(t, sockets.Taken())
	assert.Equal(t, "STOPPING=1", told())
	require.NoError(t, r.stop())
}
