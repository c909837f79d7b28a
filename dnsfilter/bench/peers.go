//go:build linux

package main

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// peers returns a function for each resolver to compare, by its name. The function writes the configuration, and
// returns the command that starts the resolver. Each resolver has one worker, has the list in its native form, and
// forwards all other queries.
func peers() map[string]func(*bench) ([]string, error) {
	return map[string]func(*bench) ([]string, error){
		"dnsfilter": (*bench).dnsfilter, "unbound": (*bench).unbound, "dnsdist": (*bench).dnsdist,
		"dnsmasq": (*bench).dnsmasq,
	}
}

func peerNames() []string { return slices.Sorted(maps.Keys(peers())) }

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

func (b *bench) dnsfilter() ([]string, error) {
	config := fmt.Sprintf(`state: state
listen: [udp://%[1]s:%[2]d, tls://%[1]s:%[3]d, https://%[1]s:%[4]d, quic://%[1]s:%[3]d]
certificate: {cert: cert.pem, key: key.pem}
upstream: [%[1]s:%[5]d]
lists: [{name: list, file: list}]
`, host, port, tlsPort, httpsPort, upstreamPort)
	return []string{b.binary, "serve", "-c", b.path("dnsfilter.yaml")}, b.text("dnsfilter.yaml", config)
}

func (b *bench) unbound() ([]string, error) {
	head := fmt.Sprintf(`server:
  num-threads: 1
  interface: %[1]s
  interface: %[1]s@%[5]d
  interface: %[1]s@%[6]d
  port: %[2]d
  tls-port: %[5]d
  https-port: %[6]d
  tls-service-pem: cert.pem
  tls-service-key: key.pem
  incoming-num-tcp: 1000
  do-daemonize: no
  do-not-query-localhost: no
  use-syslog: no
  chroot: ""
  username: ""
  directory: "%[3]s"
  pidfile: ""
  module-config: "iterator"
  msg-cache-size: 128m
  rrset-cache-size: 256m
  outgoing-range: 4096
  num-queries-per-thread: 2048
forward-zone:
  name: "."
  forward-addr: %[1]s@%[4]d
server:
`, host, port, b.dir, upstreamPort, tlsPort, httpsPort)
	return []string{"unbound", "-d", "-c", b.path("unbound.conf")},
		b.list("unbound.conf", head, "  local-zone: \"%s.\" always_nxdomain\n")
}

func (b *bench) dnsdist() ([]string, error) {
	head := fmt.Sprintf(`setLocal("%[1]s:%[2]d", {reusePort=false})
setMaxTCPClientThreads(1)
addTLSLocal("%[1]s:%[5]d", "%[4]s/cert.pem", "%[4]s/key.pem")
addDOHLocal("%[1]s:%[6]d", "%[4]s/cert.pem", "%[4]s/key.pem", "/dns-query")
newServer({address="%[1]s:%[3]d", sockets=4, checkInterval=60})
setSecurityPollSuffix("")
getPool(""):setCache(newPacketCache(1500000, {maxTTL=86400}))
local blocked = newSuffixMatchNode()
for line in io.lines("%[4]s/list") do blocked:add(newDNSName(line)) end
addAction(SuffixMatchNodeRule(blocked), RCodeAction(DNSRCode.NXDOMAIN))
`, host, port, upstreamPort, b.dir, tlsPort, httpsPort)
	return []string{"dnsdist", "--supervised", "-C", b.path("dnsdist.conf")}, b.text("dnsdist.conf", head)
}

func (b *bench) dnsmasq() ([]string, error) {
	head := fmt.Sprintf("no-daemon\nno-resolv\nno-hosts\nport=%d\nlisten-address=%s\nbind-interfaces\nserver=%s#%d\ncache-size=10000\nuser=root\nservers-file=%s\n",
		port, host, host, upstreamPort, b.path("servers"))
	if err := b.list("servers", "", "server=/%s/\n"); err != nil {
		return nil, err
	}
	return []string{"dnsmasq", "-C", b.path("dnsmasq.conf")}, b.text("dnsmasq.conf", head)
}

// nsd writes the configuration of the upstream server, in whose root zone every name exists. It returns the command.
func (b *bench) nsd() []string {
	zone := "$ORIGIN .\n$TTL 3600\n. SOA a. b. 1 3600 600 86400 300\n. NS ns.\n* A 192.0.2.1\n"
	config := fmt.Sprintf("server:\n  server-count: 1\n  ip-address: %s@%d\n  username: \"\"\n  chroot: \"\"\n  database: \"\"\n  zonesdir: %q\n"+
		"  pidfile: \"\"\n  xfrdfile: %q\n  zonelistfile: %q\n  rrl-ratelimit: 0\n  rrl-whitelist-ratelimit: 0\nremote-control:\n  control-enable: no\n"+
		"zone:\n  name: \".\"\n  zonefile: root.zone\n", host, upstreamPort, b.dir, b.path("xfrd"), b.path("zones"))
	for name, text := range map[string]string{"root.zone": zone, "nsd.conf": config} {
		if err := b.text(name, text); err != nil {
			return []string{"false"}
		}
	}
	return []string{"nsd", "-d", "-c", b.path("nsd.conf")}
}

func (b *bench) text(name, text string) error { return os.WriteFile(b.path(name), []byte(text), 0o600) }

// certificate creates the self-signed certificate for the encrypted transports.
func (b *bench) certificate(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", //nolint:gosec // our own words
		"-subj", "/CN=resolver.example", "-addext", "subjectAltName=IP:"+host, "-keyout", b.path("key.pem"), "-out", b.path("cert.pem")).CombinedOutput()
	if err != nil {
		return fmt.Errorf("making a certificate: %w: %s", err, out)
	}
	return nil
}

// list writes a configuration file. It begins with the text head, and has a line in the given format for each name of
// the list.
func (b *bench) list(name, head, format string) error {
	f, err := os.Create(b.path(name))
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // Flush tells
	w := bufio.NewWriter(f)
	fmt.Fprint(w, head)
	for i := range b.names {
		fmt.Fprintf(w, format, blockedName(i))
	}
	return w.Flush()
}
