package config_test

import (
	"net/netip"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/internal/certtest"
)

const secureListen = "listen: [udp://127.0.0.1:5300, tls://127.0.0.1:8530, https://127.0.0.1:4430, quic://127.0.0.1:8530]\n"

func TestSecureSettings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := certtest.New(t)
	writeFile(t, dir, "cert.pem", string(cert))
	writeFile(t, dir, "key.pem", string(key))
	_, other := certtest.New(t)
	writeFile(t, dir, "other.pem", string(other))
	s, err := config.Read(writeFile(t, dir, "a.yaml", secureListen+"certificate: {cert: cert.pem, key: key.pem}\nproxy_protocol: [192.0.2.10, 198.51.100.0/24]\n"))
	require.NoError(t, err)
	assert.Equal(t, []string{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}, s.Certificate.Files())
	assert.Equal(t, []netip.Prefix{netip.MustParsePrefix("192.0.2.10/32"), netip.MustParsePrefix("198.51.100.0/24")}, s.Server().Proxies)
	pair, err := s.Certificate.Load()
	require.NoError(t, err)
	assert.Equal(t, []string{"resolver.example"}, pair.Leaf.DNSNames)
	assert.ErrorContains(t, s.Override([]string{"tls://127.0.0.1:853"}, nil, nil), "needs an address with udp:// or tcp://")

	for text, want := range map[string]string{
		secureListen: "a.yaml:1:9: listen addresses with tls://, https:// or quic:// need a certificate",
		"listen: [tls://127.0.0.1:853]\ncertificate: {cert: cert.pem, key: key.pem}\n":      "a.yaml:1:9: listen needs an address with udp:// or tcp://",
		"listen: [sctp://127.0.0.1:853]\n":                                                  `a.yaml:1:10: address "sctp://127.0.0.1:853"`,
		"certificate: {cert: cert.pem, key: key.pem}\n":                                     "a.yaml:1:15: a certificate is for listen addresses with tls://",
		secureListen + "certificate: {cert: cert.pem}\n":                                    "a.yaml:2:15: a certificate needs two files",
		secureListen + "certificate: {cert: cert.pem, key: key.pem, name: x}\n":             `a.yaml:2:45: unknown setting "name"`,
		secureListen + "certificate: {cert: cert.pem, key: key.pem}\nproxy_protocol: []\n":  "a.yaml:3:17: the list is empty",
		secureListen + "certificate: {cert: cert.pem, key: key.pem}\nproxy_protocol: [x]\n": `a.yaml:3:18: network "x"`,
	} {
		_, err := config.Read(writeFile(t, dir, "a.yaml", text))
		assert.ErrorContains(t, err, want, text)
	}
	for text, want := range map[string]string{
		"{cert: cert.pem, key: other.pem}":   "private key does not match public key",
		"{cert: missing.pem, key: key.pem}":  "missing.pem",
		"{cert: cert.pem, key: missing.pem}": "reading the key of the certificate",
		"{cert: key.pem, key: cert.pem}":     "key.pem",
	} {
		s, err := config.Read(writeFile(t, dir, "a.yaml", secureListen+"certificate: "+text+"\n"))
		require.NoError(t, err)
		err = s.CheckFiles()
		assert.ErrorContains(t, err, "a.yaml:2:15: reading the", text)
		assert.ErrorContains(t, err, want)
	}
}
