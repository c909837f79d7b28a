package secure_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
	"github.com/argine-dns/argine/testdata/freeport"
	"github.com/argine-dns/argine/testdata/peers"
)

// Other people's clients and load balancers.

// output runs a program, for thirty seconds at most.
func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	out, _ := exec.CommandContext(ctx, name, args...).CombinedOutput() // some fail at what comes after the answer
	return string(out)
}

func port(t *testing.T, addr string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	return port
}

func TestKdig(t *testing.T) {
	t.Parallel()
	peers.Installed(t, "kdig")
	r := start(t, dnsfilter.Config{})
	for option, addr := range map[string]string{"+tls": r.tls, "+https": r.https, "+https-get": r.https, "+quic": r.quic} {
		ask := func(name string) string {
			return output(t, "kdig", "@127.0.0.1", "-p", port(t, addr), option, "+padding", "+timeout=5", name, "A")
		}
		answer := ask("example.org")
		if option == "+quic" && strings.Contains(answer, "invalid parameter") {
			continue // built without QUIC
		}
		assert.Contains(t, answer, "192.0.2.1", option)
		assert.Contains(t, answer, "Received 468 B", option)
		assert.Contains(t, ask("nxdomain.test"), "status: NXDOMAIN", option)
	}
}

func TestCurl(t *testing.T) {
	t.Parallel()
	peers.Installed(t, "curl")
	r := start(t, dnsfilter.Config{})
	out := output(t, "curl", "-sv", "--doh-insecure", "--connect-timeout", "2", "--doh-url", "https://"+r.https+"/dns-query", "http://example.org:1/")
	if strings.Contains(out, "does not support this") {
		t.Skip("curl is built without DNS over HTTPS")
	}
	assert.EqualValues(t, 1, r.engine.Stats().Answers[dnsfilter.Answer{Transport: dnsfilter.HTTPS, Type: "A", Rcode: "NOERROR"}], out)
	assert.Contains(t, out, "192.0.2.1", "it tries to connect there")
}

// TestChromium has a browser whose secure DNS is set to the resolver alone: it opens an allowed page, and does not find
// a blocked one.
func TestChromium(t *testing.T) {
	t.Parallel()
	peers.Need(t, "chromium")
	r := start(t, dnsfilter.Config{})
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "an allowed page") }))
	defer page.Close()
	open := func(name string) string {
		profile := t.TempDir()
		peers.Write(t, profile, "Local State", fmt.Sprintf(`{"dns_over_https": {"mode": "secure", "templates": "https://%s/dns-query"}}`, r.https))
		return output(t, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+profile,
			"--ignore-certificate-errors-spki-list="+r.keyHash(t), "--dump-dom", "http://"+name+":"+port(t, page.Listener.Addr().String()))
	}
	assert.Contains(t, open("page.example.org"), "an allowed page")
	assert.Contains(t, open("nxdomain.test"), "ERR_NAME_NOT_RESOLVED")
	assert.Positive(t, r.engine.Stats().Answers[dnsfilter.Answer{Transport: dnsfilter.HTTPS, Type: "A", Rcode: "NXDOMAIN"}])
}

// keyHash returns the SHA-256 of the server's public key, in base64.
func (r *resolver) keyHash(t *testing.T) string {
	t.Helper()
	conn, err := tls.Dial("tcp", r.tls, r.config("dot"))
	require.NoError(t, err)
	defer conn.Close()
	hash := sha256.Sum256(conn.ConnectionState().PeerCertificates[0].RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(hash[:])
}

// TestLoad answers all of many requests, of load generators.
func TestLoad(t *testing.T) {
	t.Parallel()
	r := start(t, dnsfilter.Config{})
	t.Run("h2load", func(t *testing.T) {
		t.Parallel()
		peers.Installed(t, "h2load")
		out := output(t, "h2load", "-n", "2000", "-c", "10", "-m", "20", "https://"+r.https+"/dns-query?dns=AAABAAABAAAAAAAAB2V4YW1wbGUDb3JnAAABAAE")
		assert.Contains(t, out, "2000 succeeded", out)
	})
	t.Run("dnsperf", func(t *testing.T) {
		t.Parallel()
		peers.Installed(t, "dnsperf")
		file := filepath.Join(t.TempDir(), "queries")
		require.NoError(t, os.WriteFile(file, []byte(strings.Repeat("example.org A\nnone.example.org A\n", 500)), 0o600))
		out := output(t, "dnsperf", "-m", "dot", "-s", "127.0.0.1", "-p", port(t, r.tls), "-d", file, "-c", "10", "-n", "2")
		assert.Contains(t, out, "Queries completed:    2000 (100.00%)", out)
	})
}

// TestDNSDist has dnsdist in front, which says for which clients it asks, over UDP and TCP.
func TestDNSDist(t *testing.T) {
	t.Parallel()
	peers.Need(t, "dnsdist")
	r := start(t, dnsfilter.Config{
		Clients: networks("127.0.0.0/24", "127.0.5.0/24"), Proxies: networks("127.0.0.7/32"),
		Policy: dnsfilter.Policy{Views: []dnsfilter.View{{Clients: networks("127.0.5.0/24")}}},
	})
	at := freeport.Addr(t)
	l, err := dnsfilter.Listen(t.Context(), "tcp://"+at, "udp://"+at)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.engine.Serve(ctx, l) }()
	defer func() { cancel(); assert.NoError(t, <-done) }()

	conf, front := filepath.Join(t.TempDir(), "dnsdist.conf"), freeport.Addr(t)
	require.NoError(t, os.WriteFile(conf, fmt.Appendf(nil, "setLocal(%q)\nsetACL({\"127.0.0.0/8\"})\nsetSecurityPollSuffix(\"\")\n"+
		"newServer({address=%q, source=\"127.0.0.7\", useProxyProtocol=true, checkName=\"example.org.\"})\n", front, at), 0o600))
	peers.Start(t, filepath.Dir(conf), "dnsdist", "-C", conf, "--supervised", "--disable-syslog")
	ask := func(network, client string) (*dns.Msg, error) {
		d := net.Dialer{LocalAddr: net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(client), 0)), Timeout: 3 * time.Second}
		if network == "tcp" {
			d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(client), 0))
		}
		m, _, err := (&dns.Client{Net: network, Dialer: &d, Timeout: time.Second}).Exchange(dnstest.Question("nxdomain.test.", dns.TypeTXT), front)
		return m, err
	}
	require.Eventually(t, func() bool { m, err := ask("udp", "127.0.0.1"); return err == nil && m.Rcode == dns.RcodeNameError }, time.Minute, 50*time.Millisecond)
	for _, network := range []string{"udp", "tcp"} {
		m, err := ask(network, "127.0.0.1")
		require.NoError(t, err)
		assert.Equal(t, dns.RcodeNameError, m.Rcode, network)
		m, err = ask(network, "127.0.5.1")
		require.NoError(t, err)
		assert.Len(t, m.Answer, 1, "the view of this client blocks nothing")
	}
	m, err := ask("udp", "127.0.9.1")
	require.NoError(t, err)
	assert.Equal(t, dns.RcodeRefused, m.Rcode, "not served")
	assert.Zero(t, r.engine.Stats().BadHeaders)
}
