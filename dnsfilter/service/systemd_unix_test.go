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

// TestTakeOverUnderSystemd: systemd would start another server for the one that has ended, so that one refuses a
// successor, says what to type, and goes on.
func TestTakeOverUnderSystemd(t *testing.T) {
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
	_, err = service.TakeOver(t.Context(), filepath.Join(r.dir, "state"))
	require.ErrorContains(t, err, "systemctl restart dnsfilter")
	require.NotErrorIs(t, err, service.ErrNotRunning)
	assert.Equal(t, dns.RcodeNameError, r.rcode(t, "a.test."))
	assert.Equal(t, 1, strings.Count(r.log.String(), "msg=serving"), "nothing was released")
	require.NoError(t, r.stop())
	assert.Equal(t, "STOPPING=1", told())
}
