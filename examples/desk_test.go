package examples_test

import (
	"crypto/tls"
	"fmt"
	"html"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/testdata/freeport"
	"github.com/argine-dns/argine/testdata/peers"
)

// house is an agency whose desk stands behind a proxy.
type house struct {
	t         testing.TB
	blocklist string
	agency    *peers.Agency
	dir       string
	desk      string // address
	front     string // address of the proxy
	cert, key string // of the proxy
	header    string // in which it names the people
	domain    string // after their names
	browser   func(person string) *browser
}

// newHouse starts the desk. Of signOut, DESK stands for the URL of the proxy.
func newHouse(t *testing.T, header, domain, signOut string) *house {
	t.Helper()
	dir := folder(t)
	h := &house{t: t, dir: dir, desk: freeport.Addr(t), front: freeport.Addr(t), header: header, domain: domain, blocklist: peers.Build(t, "blocklist")}
	h.agency = peers.NewAgency(t, h.blocklist, "it.example/test")
	h.agency.Publish("bad.example")
	h.agency.Do("role", "anna"+domain, "reviewer")
	peers.Start(t, dir, h.blocklist, "-C", h.agency.Dir, "desk", "--listen", h.desk, "--user-header", header, "--proxy", "127.0.0.1",
		"--sign-out", strings.ReplaceAll(signOut, "DESK", url.QueryEscape(h.base())))
	h.cert, h.key = h.certificate("desk.example", "subjectAltName=DNS:desk.example,IP:127.0.0.1", "-x509")
	peers.AwaitTCP(t, h.desk)
	return h
}

// base returns the URL of the proxy.
func (h *house) base() string { return "https://desk.example:" + peers.Port(h.front) }

// certificate makes a key, and a certificate or (without -x509) a request for one.
func (h *house) certificate(name, extension string, args ...string) (cert, key string) {
	h.t.Helper()
	cert, key = filepath.Join(h.dir, name+".pem"), filepath.Join(h.dir, name+".key")
	peers.Run(h.t, h.dir, "openssl", append([]string{
		"req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
		"-subj", "/CN=" + name, "-addext", extension, "-keyout", key, "-out", cert,
	}, args...)...)
	return cert, key
}

func TestDeskWithNginx(t *testing.T) {
	t.Parallel()
	peers.Need(t, "nginx", "openssl")
	h := newHouse(t, "X-Remote-User", "", "")
	authority, authorityKey := h.certificate("authority", "keyUsage=keyCertSign", "-x509")
	server := peers.Exchanged(t, "desk/nginx.conf", "192.0.2.10:443", h.front, "127.0.0.1:8471", h.desk, "/etc/nginx/desk.pem", h.cert, "/etc/nginx/desk.key", h.key,
		"/etc/nginx/people-ca.pem", authority)
	conf := peers.Write(t, h.dir, "nginx.conf", fmt.Sprintf("daemon off; pid %[1]s/pid; error_log stderr; events {} http { access_log off; "+
		"client_body_temp_path %[1]s/t1; proxy_temp_path %[1]s/t2; fastcgi_temp_path %[1]s/t3; uwsgi_temp_path %[1]s/t4; scgi_temp_path %[1]s/t5;\n%[2]s}\n",
		h.dir, server))
	peers.Start(t, h.dir, "nginx", "-p", h.dir, "-c", conf, "-e", "stderr")
	peers.AwaitTCP(t, h.front)
	signed := func(person string, args ...string) *browser {
		asked, key := h.certificate(person, "extendedKeyUsage=clientAuth", args...)
		cert := filepath.Join(h.dir, person+".crt")
		peers.Run(t, h.dir, "openssl", "x509", "-req", "-in", asked, "-CA", authority, "-CAkey", authorityKey, "-days", "2", "-out", cert)
		own, err := tls.LoadX509KeyPair(cert, key)
		require.NoError(t, err)
		return newBrowser(t, h.base(), h.front, h.cert, own)
	}
	h.browser = func(person string) *browser { return signed(person) }
	assert.Equal(t, http.StatusForbidden, newBrowser(t, h.base(), h.front, h.cert).with("X-Remote-User", "anna").get("/").status)
	assert.Contains(t, signed("mallory", "-subj", "/CN=mallory/O=x,CN=anna").get("/").text, "mallory has no role", "a name inside another field")
	h.check()
}

func TestDeskWithApache(t *testing.T) {
	t.Parallel()
	peers.Need(t, "apache2", "openssl")
	const modules = "/usr/lib/apache2/modules/"
	if _, err := os.Stat(modules + "mod_auth_openidc.so"); err != nil {
		t.Skip("mod_auth_openidc is not installed")
	}
	p := newProvider(t)
	h := newHouse(t, "X-Remote-User", "@agency.example", "/oidc/back?logout=DESK%2Fsigned-out")
	site := peers.Exchanged(t, "desk/apache.conf", "192.0.2.10:443", h.front, "127.0.0.1:8471", h.desk, "/etc/apache2/desk.pem", h.cert, "/etc/apache2/desk.key", h.key,
		"https://login.agency.example", p.URL, "https://desk.example/", h.base()+"/", "CLIENT-SECRET", clientSecret, "RANDOM-TEXT", "a-random-text")
	var conf strings.Builder
	for _, module := range []string{"mpm_event", "authn_core", "authz_core", "authz_user", "auth_openidc", "headers", "proxy", "proxy_http", "ssl", "socache_shmcb"} {
		fmt.Fprintf(&conf, "LoadModule %s_module %smod_%[1]s.so\n", module, modules)
	}
	fmt.Fprintf(&conf, "ServerName desk.example\nListen %s\nPidFile %s/pid\nDefaultRuntimeDir %[2]s\nErrorLog /dev/stderr\nUser #65534\nGroup #65534\n%s", h.front, h.dir, site)
	peers.Start(t, h.dir, "apache2", "-DFOREGROUND", "-d", h.dir, "-f", peers.Write(t, h.dir, "apache2.conf", conf.String()))
	peers.AwaitTCP(t, h.front)
	h.checkOpenID(p, "/", "Your session has ended", "You have signed out")
}

func TestDeskWithOAuth2Proxy(t *testing.T) {
	t.Parallel()
	peers.Need(t, "oauth2-proxy", "openssl")
	p := newProvider(t)
	h := newHouse(t, "X-Forwarded-Email", "@agency.example", "/oauth2/sign_out")
	settings := peers.Exchanged(t, "desk/oauth2-proxy.cfg", "192.0.2.10:443", h.front, "127.0.0.1:8471", h.desk, "/etc/oauth2-proxy/desk.pem", h.cert,
		"/etc/oauth2-proxy/desk.key", h.key, "https://login.agency.example", p.URL, "https://desk.example/", h.base()+"/", "/etc/oauth2-proxy/secret", peers.Write(t, h.dir, "secret", clientSecret),
		"/etc/oauth2-proxy/cookie", peers.Write(t, h.dir, "cookie", strings.Repeat("x", 32)))
	peers.Start(t, h.dir, "oauth2-proxy", "--config", peers.Write(t, h.dir, "oauth2-proxy.cfg", settings))
	peers.AwaitTCP(t, h.front)
	h.checkOpenID(p, "/oauth2/start?rd=/", "If you have just sent a form", "Sign in with")
}

// checkOpenID checks a proxy that asks the provider. People sign in at a path; a form without a session is answered
// with a text, and so is who signs out.
func (h *house) checkOpenID(p *provider, in, ended, out string) {
	t := h.t
	h.browser = func(person string) *browser {
		b := newBrowser(t, h.base(), h.front, h.cert)
		b.get(p.URL + "/login?as=" + person)
		require.Equal(t, b.base+"/", b.get(in).url)
		return b
	}
	stranger := newBrowser(t, h.base(), h.front, h.cert).with(h.header, "anna@agency.example")
	assert.Contains(t, stranger.get(in).text, "the provider asks for a password")
	assert.NotContains(t, stranger.get("/entries").text, "bad.example")
	h.check()

	anna := h.browser("anna")
	before := h.agency.Do("log")
	head := between(t, anna.post("/add", "entries", "late.example").text, `name="head" value="`, `"`)
	form := []string{"entries", "late.example", "reason", "typed for long", "head", head}
	anna.forget()
	answer := anna.post("/add", form...)
	assert.Contains(t, []int{http.StatusUnauthorized, http.StatusForbidden}, answer.status)
	assert.Contains(t, answer.text, ended)
	assert.Equal(t, before, h.agency.Do("log"), "nothing was done")
	anna.get(in)
	assert.Contains(t, anna.post("/add", form...).text, "typed for long", "the browser sends the form again")

	assert.Contains(t, anna.get("/release").text, "Nothing was done")
	assert.Contains(t, anna.get(html.UnescapeString(between(t, anna.get("/").text, `</div>
<a href="`, `"`))).text, out)
	anna.get(p.URL + "/logout?post_logout_redirect_uri=https://desk.example/signed-out")
	assert.Contains(t, anna.get(in).text, "the provider asks for a password")
}

// check checks what all proxies have in common.
func (h *house) check() {
	t := h.t
	anna, eve := h.browser("anna"), h.browser("eve")
	assert.Contains(t, anna.get("/").text, "anna"+h.domain)
	h.checkStrangers(eve)
	h.checkChange(anna)
	h.checkSigning(anna)
	h.checkReports()
}

// checkStrangers checks that those without a role get a clear page, whatever their browser claims.
func (h *house) checkStrangers(eve *browser) {
	t, anna := h.t, "anna"+h.domain
	for _, b := range []*browser{
		eve, eve.with(h.header, anna), eve.with(strings.ToLower(h.header), anna), eve.with(strings.ReplaceAll(h.header, "-", "_"), anna),
		eve.with(h.header, anna, anna),
	} {
		got := b.get("/")
		assert.Equal(t, http.StatusForbidden, got.status, b.header)
		assert.Contains(t, got.text, "eve"+h.domain+" has no role", b.header)
		assert.NotContains(t, got.text, "bad.example", b.header)
	}
	assert.Equal(t, http.StatusForbidden, eve.with("Connection", h.header).get("/").status, "a proxy may drop its own header then (RFC 9110, 7.6.1)")
	for _, path := range []string{"/terminal/request", "/terminal/../", "/terminal/%2e%2e/", "//", "/terminal/request/../../entries"} {
		assert.NotContains(t, newBrowser(t, h.base(), h.front, h.cert).with(h.header, anna).get(path).text, "bad.example", path)
	}
	direct := &browser{t, &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}).DialContext,
	}}, "http://" + h.desk, http.Header{h.header: {anna}}}
	got := direct.get("/")
	assert.Equal(t, http.StatusForbidden, got.status)
	assert.Contains(t, got.text, "The desk does not know who you are")
}

// checkChange checks that a change has its author, and that no other site makes one.
func (h *house) checkChange(anna *browser) {
	t := h.t
	head := between(t, anna.post("/add", "entries", "new.example").text, `name="head" value="`, `"`)
	form := []string{"entries", "new.example", "reason", "as ordered", "head", head}
	before := h.agency.Do("log")
	assert.Equal(t, http.StatusForbidden, anna.with("Sec-Fetch-Site", "cross-site").post("/add", form...).status)
	assert.Equal(t, http.StatusForbidden, anna.with("Sec-Fetch-Site").with("Origin", "https://evil.example").post("/add", form...).status)
	assert.Equal(t, before, h.agency.Do("log"))
	got := anna.with("Sec-Fetch-Site").with("Origin", anna.base).post("/add", form...)
	assert.Contains(t, got.url, "/operation/", "a browser without Sec-Fetch-Site has the host of the form compared")
	assert.Contains(t, got.text, "as ordered")
	assert.Contains(t, h.agency.Do("history", "new.example"), "anna"+h.domain)
}

// checkSigning checks both ways of a signature: from a terminal, and as a file.
func (h *house) checkSigning(anna *browser) {
	t := h.t
	require.Equal(t, http.StatusOK, anna.post("/release").status)
	large := anna.upload(strings.Repeat("x", 1<<20-1<<10))
	assert.Equal(t, http.StatusBadRequest, large.status, "the desk has read it: %s", large.text)
	assert.Equal(t, http.StatusRequestEntityTooLarge, anna.upload(strings.Repeat("x", 2<<20)).status)
	code := between(t, anna.post("/code").text, `<p class="code">`, "<")
	key := filepath.Join(filepath.Dir(h.agency.Dir), "anna.key")
	peers.Run(t, h.dir, "env", "SSL_CERT_FILE="+h.cert, "XDG_STATE_HOME="+h.dir, h.blocklist, "sign", "https://"+h.front, "--code", code,
		"--root", h.agency.Root, "--key", key, "--yes")
	assert.Contains(t, h.agency.Do("status"), "anna")
	h.agency.Do("push", h.agency.URL)

	h.agency.Do("add", "other.example")
	require.Equal(t, http.StatusOK, anna.post("/release").status)
	request := peers.Write(t, h.dir, "request.tar", anna.post("/request").text)
	signature := filepath.Join(h.dir, "anna.sig")
	peers.Run(t, h.dir, "env", "XDG_STATE_HOME="+h.dir, h.blocklist, "sign", request, "--root", h.agency.Root, "--key", key, "--yes", "-o", signature)
	text, err := os.ReadFile(signature)
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, anna.upload(string(text)).status)
	h.agency.Do("push", h.agency.URL)
}

// checkReports checks that a program with a token brings reports.
func (h *house) checkReports() {
	t := h.t
	token := strings.TrimSpace(h.agency.Do("source", "token", "hotline"))
	program := newBrowser(t, h.base(), h.front, h.cert)
	report := `{"target": "https://bad.example/page", "key": "1", "reference": "` + strings.Repeat("x", 100) + `"}`
	got := program.send(http.MethodPost, "/api/reports", "application/json", strings.NewReader(report))
	assert.Equal(t, http.StatusUnauthorized, got.status, got.text)
	program = program.with("Authorization", "Bearer "+token)
	got = program.send(http.MethodPost, "/api/reports", "application/json", strings.NewReader(report))
	assert.Equal(t, http.StatusOK, got.status, got.text)
	got = program.send(http.MethodPost, "/api/reports", "application/json", strings.NewReader(report+strings.Repeat(" ", 1<<20-len(report))))
	assert.Equal(t, http.StatusOK, got.status, got.text)
	assert.Equal(t, http.StatusRequestEntityTooLarge, program.send(http.MethodPost, "/api/reports", "application/json", strings.NewReader(report+strings.Repeat(" ", 1<<20))).status)
}
