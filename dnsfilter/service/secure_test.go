package service_test

import (
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/internal/certtest"
)

// TestCertificateOfTheSettings renews the certificate of a running service; a broken pair changes nothing.
func TestCertificateOfTheSettings(t *testing.T) {
	t.Parallel()
	r := newFolder(t, "")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	secured := l.Addr().String()
	require.NoError(t, l.Close())
	r.write(t, "head.yaml", strings.Replace(r.head(t), "listen: [", "certificate: {cert: cert.pem, key: key.pem}\nlisten: [tls://"+secured+", ", 1))
	r.settings(t, "")
	renew := func() []byte {
		cert, key := certtest.New(t)
		r.write(t, "cert.pem", string(cert))
		r.write(t, "key.pem", string(key))
		return cert
	}
	first := renew()
	r.start(t)
	serial := func() string {
		conn, err := tls.Dial("tcp", secured, &tls.Config{InsecureSkipVerify: true})
		require.NoError(t, err)
		defer conn.Close()
		c := &dns.Conn{Conn: conn}
		require.NoError(t, c.WriteMsg(question("example.org.", dns.TypeA)))
		m, err := c.ReadMsg()
		require.NoError(t, err)
		assert.Len(t, m.Answer, 1)
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	before := serial()
	renew()
	require.Eventually(t, func() bool { return serial() != before }, 10*time.Second, 50*time.Millisecond, r.log)

	now := serial()
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "key.pem"), first, 0o600))
	require.Eventually(t, func() bool { return strings.Contains(r.log.String(), "the one before stays in force") }, 10*time.Second, 50*time.Millisecond)
	assert.Equal(t, now, serial())
	r.settings(t, "cache: 1MiB\n")
	r.reload <- struct{}{}
	require.Eventually(t, func() bool { return strings.Contains(r.log.String(), "reloading failed") }, 10*time.Second, 50*time.Millisecond)
	assert.Equal(t, now, serial())
}
