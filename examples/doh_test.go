package examples_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/argine-dns/argine/testdata/freeport"
	"github.com/argine-dns/argine/testdata/peers"
)

// certificate makes a self-signed certificate, as the comment in nginx.conf does.
func certificate(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	cert, key = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
	peers.Run(t, dir, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN="+name,
		"-addext", "subjectAltName=DNS:"+name, "-keyout", key, "-out", cert)
	return cert, key
}

func TestDoHWithNginx(t *testing.T) {
	t.Parallel()
	peers.Need(t, "nginx", "kdig", "openssl")
	dir := folder(t)
	inner, innerKey := certificate(t, dir, "dnsfilter")
	outer, outerKey := certificate(t, dir, "dns.example")
	plain, https, front := freeport.Addr(t), freeport.Addr(t), freeport.Addr(t)
	settings := peers.Exchanged(t, "doh/dnsfilter.yaml", "192.0.2.1:53", plain, "127.0.0.1:8443", https, "/etc/dnsfilter/cert.pem", inner,
		"/etc/dnsfilter/key.pem", innerKey, "[192.0.2.53]", `["`+peers.Upstream(t)+`"]`, "/var/lib/dnsfilter", dir+"/state",
		"/etc/dnsfilter/local.txt", peers.Write(t, dir, "local.txt", "listed.example\n"))
	peers.Resolver(t, peers.Build(t, "dnsfilter"), dir, settings, plain)
	server := peers.Exchanged(t, "doh/nginx.conf", "127.0.0.1:8443", https, "192.0.2.1:443", front, "/etc/nginx/dns.example.pem", outer,
		"/etc/nginx/dns.example.key", outerKey, "/etc/dnsfilter/cert.pem", inner)
	conf := peers.Write(t, dir, "nginx.conf", fmt.Sprintf("daemon off; pid %[1]s/pid; error_log stderr; events {} http {"+
		"client_body_temp_path %[1]s/t1; proxy_temp_path %[1]s/t2; fastcgi_temp_path %[1]s/t3; uwsgi_temp_path %[1]s/t4; scgi_temp_path %[1]s/t5;\n%[2]s}\n",
		dir, server))
	peers.Start(t, dir, "nginx", "-p", dir, "-c", conf, "-e", "stderr")
	peers.AwaitTCP(t, front)
	for _, method := range []string{"+https", "+https-get"} {
		ask := func(name string) string {
			return peers.Run(t, dir, "kdig", "@127.0.0.1", "-p", peers.Port(front), method, "+tls-ca="+outer, "+tls-hostname=dns.example", "+timeout=5", name, "A")
		}
		assert.Contains(t, ask("free.example"), "192.0.2.1", method)
		assert.Contains(t, ask("www.listed.example"), "status: NXDOMAIN", method)
	}
}
