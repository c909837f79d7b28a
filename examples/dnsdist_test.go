package examples_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/argine-dns/argine/testdata/freeport"
	"github.com/argine-dns/argine/testdata/peers"
)

// On loopback, 127.0.1.0/24 are the clients of the list, 127.0.2.0/24 those of the view, and 127.0.3.0/24 are served by
// dnsdist, but not by dnsfilter.
func TestDNSDist(t *testing.T) {
	t.Parallel()
	peers.Need(t, "dnsdist")
	dir, dnsfilter, upstream := t.TempDir(), peers.Build(t, "dnsfilter"), peers.Upstream(t)
	list := peers.Write(t, dir, "local.txt", "listed.example\n")
	front, one, two := freeport.Addr(t), freeport.Addr(t), freeport.Addr(t)
	resolver := func(addr string) *peers.Process {
		settings := peers.Exchanged(t, "dnsdist/dnsfilter.yaml", "192.0.2.1:53", addr, "192.0.2.10", "127.0.0.7",
			"[192.0.2.0/24, 198.51.100.0/24]", "[127.0.0.0/24, 127.0.1.0/24, 127.0.2.0/24]", "[198.51.100.0/24]", "[127.0.2.0/24]",
			"[192.0.2.53]", `["`+upstream+`"]`, "/var/lib/dnsfilter", dir+"/state-"+peers.Port(addr), "/etc/dnsfilter/local.txt", list,
			"/etc/dnsfilter/cookies", peers.Write(t, dir, "cookies", strings.Repeat("0123456789abcdef", 2)+"\n"))
		return peers.Resolver(t, dnsfilter, dir, settings, addr)
	}
	first := resolver(one)
	resolver(two)
	conf := peers.Exchanged(t, "dnsdist/dnsdist.conf", "192.0.2.10:53", front, "192.0.2.1:53", one, "192.0.2.2:53", two,
		`"192.0.2.0/24", "198.51.100.0/24"`, `"127.0.0.0/8"`, "useProxyProtocol=true", `source="127.0.0.7", useProxyProtocol=true`)
	conf += "setSecurityPollSuffix(\"\")\n"
	peers.Start(t, dir, "dnsdist", "-C", peers.Write(t, dir, "dnsdist.conf", conf), "--supervised", "--disable-syslog")
	peers.Await(t, front, "free.example", "NOERROR 192.0.2.1")

	for client, want := range map[string]string{"127.0.1.1": "NXDOMAIN", "127.0.2.1": "NOERROR 192.0.2.1", "127.0.3.1": "REFUSED"} {
		assert.EventuallyWithT(t, func(c *assert.CollectT) {
			assert.Equal(c, want, peers.Ask(client, front, "www.listed.example"), client)
		}, time.Minute, 20*time.Millisecond)
	}
	first.Stop()
	peers.Await(t, front, "www.listed.example", "NXDOMAIN")
	peers.Await(t, front, "other.example", "NOERROR 192.0.2.1") // dnsdist may still try the one that is gone
}
