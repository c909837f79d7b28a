package service_test

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/internal/certtest"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
	"github.com/argine-dns/argine/testdata/freeport"
)

// newCertificate writes a new certificate and its key.
func (r *running) newCertificate(t *testing.T) {
	t.Helper()
	cert, key := certtest.New(t)
	r.write(t, "cert.pem", string(cert))
	r.write(t, "key.pem", string(key))
}

// listenTLS adds an address for DNS over TLS to the settings. It returns the port.
func (r *running) listenTLS(t *testing.T, settings string) string {
	t.Helper()
	at := freeport.Addr(t)
	r.write(t, "head.yaml", strings.Replace(r.head(t), "listen: [", "certificate: {cert: cert.pem, key: key.pem}\nlisten: [tls://"+at+", ", 1))
	r.settings(t, settings)
	r.newCertificate(t)
	return strings.TrimPrefix(at, "127.0.0.1:")
}

// TestCertificateOfTheSettings renews the certificate of a running service; a broken pair changes nothing.
func TestCertificateOfTheSettings(t *testing.T) {
	t.Parallel()
	r := newFolder(t, "")
	secured := "127.0.0.1:" + r.listenTLS(t, "")
	first, err := os.ReadFile(filepath.Join(r.dir, "cert.pem"))
	require.NoError(t, err)
	r.start(t)
	serial := func() string {
		conn, err := tls.Dial("tcp", secured, &tls.Config{InsecureSkipVerify: true})
		require.NoError(t, err)
		defer conn.Close()
		c := &dns.Conn{Conn: conn}
		require.NoError(t, c.WriteMsg(dnstest.Question("example.org.", dns.TypeA)))
		m, err := c.ReadMsg()
		require.NoError(t, err)
		assert.Len(t, m.Answer, 1)
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	before := serial()
	r.newCertificate(t)
	require.Eventually(t, func() bool { return serial() != before }, time.Minute, 50*time.Millisecond, r.log)

	now := serial()
	require.NoError(t, os.WriteFile(filepath.Join(r.dir, "key.pem"), first, 0o600))
	require.Eventually(t, func() bool { return strings.Contains(r.log.String(), "the one before stays in force") }, time.Minute, 50*time.Millisecond)
	assert.Equal(t, now, serial())
	r.settings(t, "cache: 1MiB\n")
	r.reload <- struct{}{}
	require.Eventually(t, func() bool { return strings.Contains(r.log.String(), "reloading failed") }, time.Minute, 50*time.Millisecond)
	assert.Equal(t, now, serial())
}
