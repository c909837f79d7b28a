package examples_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/testdata/freeport"
	"github.com/argine-dns/argine/testdata/peers"
)

// TestAnycast runs dnsfilter with a real BIRD that announces it, and one that is the router. It shows that the route comes
// when dnsfilter is well, goes when it ends, and comes back; also after BIRD has read its configuration again.
func TestAnycast(t *testing.T) {
	t.Parallel()
	peers.Need(t, "bird", "birdc", "dig", "curl")
	const wait, tick = 20 * time.Second, 50 * time.Millisecond
	dir := t.TempDir()
	addr, metrics := freeport.Addr(t), freeport.Addr(t)
	host, router := freeport.At(t, "127.0.0.1"), freeport.At(t, "127.0.0.2")
	peers.Write(t, dir, "cookies", strings.Repeat("0123456789abcdef", 2)+"\n")
	settings := peers.Exchanged(t, "anycast/dnsfilter.yaml", "203.0.113.53:53", addr, ", 203.0.113.53]", "]", "[192.0.2.53]", `["`+peers.Upstream(t)+`"]`,
		"/var/lib/dnsfilter", dir+"/state", "/etc/dnsfilter/cookies", dir+"/cookies", "127.0.0.1:9153", metrics,
		"/etc/dnsfilter/local.txt", peers.Write(t, dir, "local.txt", "listed.example\n"))
	dnsfilter := peers.Build(t, "dnsfilter")

	bird := func(name, conf string) {
		peers.Start(t, dir, "bird", "-f", "-c", peers.Write(t, dir, name+".conf", conf), "-s", name+".ctl", "-P", name+".pid")
	}
	bird("host", peers.Exchanged(t, "anycast/bird.conf", "local 192.0.2.1 as 65001;", "local 127.0.0.1 port "+peers.Port(host)+" as 65001;\n\tmultihop;\n\tstrict bind;",
		"neighbor 192.0.2.254 as", "neighbor 127.0.0.2 port "+peers.Port(router)+" as"))
	bird("router", "router id 192.0.2.254;\nprotocol device { }\nprotocol bgp host {\n\tlocal 127.0.0.2 port "+peers.Port(router)+" as 65000;\n\tmultihop;\n\tstrict bind;\n"+
		"\tneighbor 127.0.0.1 port "+peers.Port(host)+" as 65001;\n\tconnect retry time 1;\n\tconnect delay time 1;\n\tipv4 { import all; export none; };\n}\n")
	ask := func(socket string, words ...string) string {
		return peers.Run(t, dir, "birdc", append([]string{"-s", filepath.Join(dir, socket)}, words...)...)
	}
	require.Eventually(t, func() bool { m, _ := filepath.Glob(dir + "/*.ctl"); return len(m) == 2 }, wait, tick)
	peers.Eventually(t, func() string { return ask("router.ctl", "show", "protocols") }, "Established")

	script := peers.Write(t, dir, "watch.sh", peers.Exchanged(t, "anycast/watch.sh", "203.0.113.53 port=53", "127.0.0.1 port="+peers.Port(addr),
		"127.0.0.1:9153", metrics))
	watch := peers.Start(t, dir, "env", "BIRDC=birdc -s "+dir+"/host.ctl", "sh", script)
	route := func() string { return ask("router.ctl", "show", "route") }
	gone := func() bool { return !strings.Contains(route(), "203.0.113.53/32") }
	require.Eventually(t, func() bool { return strings.Contains(watch.Output(), "anycast: already disabled") }, wait, tick)
	assert.True(t, gone(), "nothing answers yet")

	first := peers.Resolver(t, dnsfilter, dir, settings, addr)
	peers.Eventually(t, route, "203.0.113.53/32")
	ask("host.ctl", "configure")
	require.Eventually(t, gone, wait, tick, "BIRD has read its configuration again, in which the protocol is disabled")
	peers.Eventually(t, route, "203.0.113.53/32")
	first.Stop()
	require.Eventually(t, gone, wait, tick)
	peers.Resolver(t, dnsfilter, dir, settings, addr)
	peers.Eventually(t, route, "203.0.113.53/32")
	watch.Stop()
	require.Eventually(t, gone, wait, tick, "the route goes with the script")
}
