package examples_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/blocktest"
	"github.com/argine-dns/argine/testdata/freeport"
	"github.com/argine-dns/argine/testdata/peers"
)

const certgen = "/usr/lib/squid/security_file_certgen"

// proxy is a Squid between a client and two servers, which have all hosts.
type proxy struct {
	t                   *testing.T
	dir                 string // that the user of Squid can read
	command             string // blocklist
	list                string // file
	address             string
	httpPort, httpsPort string
	ca                  *x509.Certificate
	key                 *ecdsa.PrivateKey
	client              *http.Client
	refused             func(reply) bool
	setList             func(lines ...string)
}

func newProxy(t *testing.T) *proxy {
	t.Helper()
	peers.Need(t, "squid")
	if _, err := os.Stat(certgen); err != nil {
		t.Skip("this squid does not decrypt (Debian: squid-openssl)")
	}
	dir := folder(t)
	p := &proxy{t: t, dir: dir, command: filepath.Join(dir, "blocklist"), list: filepath.Join(dir, "list.txt"), address: freeport.Addr(t)}
	require.NoError(t, os.Rename(peers.Build(t, "blocklist"), p.command))
	p.makeCA()
	p.serve()
	return p
}

// makeCA makes an authority for this test alone.
func (p *proxy) makeCA() {
	var err error
	p.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(p.t, err)
	p.ca = p.certificate(&x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "throw-away"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}, nil)
	key, err := x509.MarshalPKCS8PrivateKey(p.key)
	require.NoError(p.t, err)
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.ca.Raw})
	p.write("ca.crt", string(certificate))
	p.write("ca.pem", string(certificate)+string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
}

// certificate signs a certificate for the one key of the test; without a parent by itself.
func (p *proxy) certificate(template, parent *x509.Certificate) *x509.Certificate {
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &p.key.PublicKey, p.key)
	require.NoError(p.t, err)
	c, err := x509.ParseCertificate(der)
	require.NoError(p.t, err)
	return c
}

// serve starts the servers and makes the client.
func (p *proxy) serve() {
	site := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			io.Copy(w, r.Body)
			return
		}
		fmt.Fprintf(w, "here is %s%s", r.Host, r.URL)
	})
	names := []string{"site.test", "blocked.test", "www.blocked.test", "watched.test", "other.test"}
	p.write("hosts", "127.0.0.1 "+strings.Join(names, " ")+"\n")
	plain, secure := httptest.NewServer(site), httptest.NewUnstartedServer(site)
	leaf := p.certificate(&x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: names, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, p.ca)
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: p.key}}}
	secure.StartTLS()
	p.t.Cleanup(plain.Close)
	p.t.Cleanup(secure.Close)
	p.httpPort, p.httpsPort = portOf(plain.URL), portOf(secure.URL)

	trusted := x509.NewCertPool()
	trusted.AddCert(p.ca)
	transport := &http.Transport{
		Proxy:           http.ProxyURL(&url.URL{Scheme: "http", Host: p.address}),
		TLSClientConfig: &tls.Config{RootCAs: trusted}, MaxIdleConnsPerHost: 20,
	}
	p.t.Cleanup(transport.CloseIdleConnections)
	p.client = &http.Client{
		Transport: transport, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func portOf(text string) string {
	_, port, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(text, "http://"), "https://"), ":")
	return port
}

// start starts Squid with the configuration of squid/ that includes listed-KIND.conf. Only paths, addresses and,
// where said, other texts are exchanged, in pairs; behind it come names and places of this test.
func (p *proxy) start(kind string, exchange ...string) {
	p.t.Helper()
	conf := peers.Exchanged(p.t, "squid/squid.conf", "127.0.0.1:3128", p.address, "/etc/squid/ca.pem", p.path("ca.pem"), "/var/lib/squid/ssl_db", p.path("ssl_db"),
		"include /etc/squid/listed-acl.conf", "include "+p.path("listed.conf"))
	if kind != "icap" {
		exchange = append(exchange, "/usr/bin/blocklist", p.command)
	}
	p.write("listed.conf", peers.Exchanged(p.t, "squid/listed-"+kind+".conf", exchange...))
	p.write("squid.conf", conf+fmt.Sprintf(`
hosts_file %[1]s/hosts
tls_outgoing_options cafile=%[1]s/ca.crt
logformat told %%ru tag=%%et message=%%{message}note
strip_query_terms off
access_log stdio:%[1]s/log/access.log logformat=told
cache_log %[1]s/log/cache.log
pid_filename none
coredump_dir none
cache deny all
shutdown_lifetime 0 seconds
`, p.dir))
	require.NoError(p.t, os.Mkdir(p.path("log"), 0o755))
	out, err := exec.CommandContext(p.t.Context(), certgen, "-c", "-s", p.path("ssl_db"), "-M", "8MB").CombinedOutput()
	require.NoError(p.t, err, string(out))
	if os.Getuid() == 0 {
		p.giveTo("proxy", p.path("log"), p.path("ssl_db"))
	}
	p.run("squid", "squid", "-N", "-f", p.path("squid.conf"))
	p.waitFor(p.address)
}

// giveTo makes folders those of the user that Squid becomes.
func (p *proxy) giveTo(name string, dirs ...string) {
	u, err := user.Lookup(name)
	require.NoError(p.t, err)
	uid, err := strconv.Atoi(u.Uid)
	require.NoError(p.t, err)
	gid, err := strconv.Atoi(u.Gid)
	require.NoError(p.t, err)
	for _, dir := range dirs {
		require.NoError(p.t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
			if err == nil {
				err = os.Chown(path, uid, gid)
			}
			return err
		}))
	}
}

// run runs a program until the end of the test, and tells what it said if that failed.
func (p *proxy) run(name, path string, args ...string) {
	p.t.Helper()
	var said bytes.Buffer
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr, cmd.Dir, cmd.WaitDelay = &said, &said, p.dir, 5*time.Second
	require.NoError(p.t, cmd.Start())
	p.t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		killer := time.AfterFunc(15*time.Second, func() { cmd.Process.Kill() })
		defer killer.Stop()
		err := cmd.Wait()
		if p.t.Failed() {
			p.t.Logf("%s: %v\n%s", name, err, &said)
		}
	})
}

func (p *proxy) waitFor(address string) {
	p.t.Helper()
	require.Eventually(p.t, func() bool {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			return false
		}
		return c.Close() == nil
	}, 30*time.Second, 50*time.Millisecond, address)
}

func (p *proxy) path(name string) string { return filepath.Join(p.dir, name) }

func (p *proxy) write(name, text string) {
	p.t.Helper()
	require.NoError(p.t, os.WriteFile(p.path(name), []byte(text), 0o644))
}

// compileSet writes the list as a set, in one step.
func (p *proxy) compileSet(lines ...string) {
	p.t.Helper()
	require.NoError(p.t, blocklist.BuildSet(p.list, blocktest.List, blocktest.Entries(lines...)))
}

// writeList writes the list as text.
func (p *proxy) writeList(lines ...string) {
	p.t.Helper()
	require.NoError(p.t, os.WriteFile(p.list, []byte(strings.Join(lines, "\n")+"\n"), 0o644))
}

func (p *proxy) accessLog() string {
	b, err := os.ReadFile(p.path("log/access.log"))
	require.NoError(p.t, err)
	return string(b)
}

// exchange sends text to the proxy, and returns what comes back at first: where that is a tunnel, what comes through it
// when it is asked for what inside says, for Squid tells of a refused CONNECT there.
func (p *proxy) exchange(text, inside string) string {
	p.t.Helper()
	c, err := net.DialTimeout("tcp", p.address, 5*time.Second)
	require.NoError(p.t, err)
	defer c.Close()
	require.NoError(p.t, c.SetDeadline(time.Now().Add(10*time.Second)))
	answer := p.send(c, text)
	if !strings.HasPrefix(answer, "HTTP/1.1 200 Connection established") {
		return answer
	}
	tunnel := tls.Client(c, &tls.Config{ServerName: "other.test", InsecureSkipVerify: true})
	defer tunnel.Close()
	return p.send(tunnel, inside)
}

func (p *proxy) send(c net.Conn, text string) string {
	_, err := io.WriteString(c, text)
	require.NoError(p.t, err)
	b := make([]byte, 4096)
	n, err := c.Read(b)
	require.NoError(p.t, err, "%q", text)
	return string(b[:n])
}

// refusedText reports whether an answer refuses what was asked for.
func (p *proxy) refusedText(answer string) bool {
	status, _, _ := strings.Cut(answer, "\r\n")
	code, _ := strconv.Atoi(strings.Split(status+"  ", " ")[1])
	location := ""
	if _, after, ok := strings.Cut(answer, "\r\nLocation: "); ok {
		location, _, _ = strings.Cut(after, "\r\n")
	}
	return p.refused(reply{code: code, location: location})
}
