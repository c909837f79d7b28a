package examples_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/testdata/freeport"
	"github.com/argine-dns/argine/testdata/peers"
)

const secret = "key \"transfer.example\" {\n\talgorithm hmac-sha256;\n\tsecret \"c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3I=\";\n};\n"

// TestFleet has two secondaries: one is told of each change, the other, which no notification reaches, asks.
func TestFleet(t *testing.T) {
	t.Parallel()
	peers.Need(t, "named")
	dir, upstream := t.TempDir(), peers.Upstream(t)
	agency := peers.NewAgency(t, peers.Build(t, "blocklist"), "it.example/csam")
	agency.Publish("one.example")
	primary, told, asks := freeport.Addr(t), freeport.Addr(t), freeport.Addr(t)
	settings := peers.Exchanged(t, "rpz/dnsfilter.yaml", "192.0.2.1:53", primary, "/etc/dnsfilter/csam.root.json", agency.Root, "https://origin.example", agency.URL,
		"key: /etc/dnsfilter/transfer.key", "key: "+peers.Write(t, dir, "transfer.key", secret), "/var/lib/dnsfilter", dir+"/state",
		"allow: [192.0.2.53, 192.0.2.54, 192.0.2.56]", "allow: [127.0.0.1]", "notify: [192.0.2.53]", `notify: ["`+told+`"]`,
		"zone_files: http://192.0.2.1:8053", `upstream: ["`+upstream+`"]`)
	peers.Resolver(t, peers.Build(t, "dnsfilter"), dir, settings, primary)
	peers.Await(t, primary, "one.example", "NXDOMAIN")

	secondary := func(addr, transfers string) {
		own := t.TempDir()
		options, err := filepath.Abs("rpz/named.options")
		require.NoError(t, err)
		conf := fmt.Sprintf("controls { };\noptions { directory %q; listen-on port %s { 127.0.0.1; }; listen-on-v6 { none; }; pid-file none; session-keyfile none; lock-file none;\n"+
			"forward only; forwarders port %s { 127.0.0.1; }; dnssec-validation no; empty-zones-enable no;\ninclude %q; };\n",
			own, peers.Port(addr), peers.Port(upstream), options)
		conf += peers.Exchanged(t, "rpz/named.conf", `include "/etc/bind/transfer.key";`, secret,
			"192.0.2.1 key", "127.0.0.1 port "+peers.Port(primary)+" key", "allow-notify { key transfer.example; };", transfers)
		peers.Start(t, own, "named", "-g", "-c", peers.Write(t, own, "named.conf", conf))
		peers.Await(t, addr, "www.one.example", "NXDOMAIN")
		peers.Await(t, addr, "free.example", "NOERROR 192.0.2.1")
	}
	secondary(told, "allow-notify { key transfer.example; };")
	secondary(asks, "allow-notify { none; }; min-refresh-time 1; max-refresh-time 1;")
	agency.Publish("two.example")
	for _, addr := range []string{primary, told, asks} {
		peers.Await(t, addr, "www.two.example", "NXDOMAIN")
	}
}
