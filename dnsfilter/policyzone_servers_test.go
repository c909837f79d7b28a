package dnsfilter_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

// delegated is what the upstream of the tests of name servers knows.
const delegated = `
$TTL 300
.                  SOA ns.root.test. hostmaster.root.test. 1 3600 600 86400 60
example.           SOA ns1.dns.test. hostmaster.example. 1 3600 600 86400 60
example.           NS  ns1.dns.test.
a.example.         SOA ns1.dns.test. hostmaster.example. 1 3600 600 86400 60
a.example.         NS  ns1.dns.test.
a.example.         NS  ns2.dns.test.
www.a.example.     A   192.0.2.1
deep.x.y.a.example. A  192.0.2.4
b.example.         SOA ns.other.test. hostmaster.example. 1 3600 600 86400 60
b.example.         NS  ns.other.test.
www.b.example.     A   192.0.2.2
www.b.example.     AAAA 2001:db8::2
c.b.example.       SOA ns1.dns.test. hostmaster.example. 1 3600 600 86400 60
c.b.example.       NS  ns1.dns.test.
www.c.b.example.   A   192.0.2.3
to-a.b.example.    CNAME www.a.example.
to-b.a.example.    CNAME www.b.example.
fast.example.      0 SOA ns.other.test. hostmaster.example. 1 3600 600 86400 0
fast.example.      0 NS  ns.other.test.
www.fast.example.  0 A   192.0.2.5
dns.test.          SOA ns1.dns.test. hostmaster.example. 1 3600 600 86400 60
ns1.dns.test.      A   203.0.113.1
ns2.dns.test.      A   203.0.113.2
ns2.dns.test.      AAAA 2001:db8:53::2
other.test.        SOA ns1.dns.test. hostmaster.example. 1 3600 600 86400 60
ns.other.test.     0 A   198.51.100.1
garden.test.       A   192.0.2.80
`

// countingUp is an upstream that counts questions.
type countingUp struct {
	dnsfilter.Upstream

	mu    sync.Mutex
	asked map[string]int
}

func (c *countingUp) Exchange(ctx context.Context, q *dns.Msg) (*dns.Msg, error) {
	c.mu.Lock()
	c.asked[q.Question[0].Name+" "+dns.TypeToString[q.Question[0].Qtype]]++
	c.mu.Unlock()
	return c.Upstream.Exchange(ctx, q)
}

func (c *countingUp) total() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, times := range c.asked {
		n += times
	}
	return n
}

func TestNameServerTriggers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		label string
		zones [][]string
		want  map[string]string
	}{
		{"names", [][]string{{"ns.other.test.rpz-nsdname CNAME .", "*.dns.test.rpz-nsdname CNAME garden.test."}}, map[string]string{
			"www.b.example": "NXDOMAIN", "www.a.example": "garden.test. 192.0.2.80", "b.example": "NXDOMAIN", "none.b.example": "NXDOMAIN",
			"www.b.example AAAA": "NXDOMAIN", "www.b.example tcp": "NXDOMAIN", "deep.x.y.a.example": "garden.test. 192.0.2.80",
			"to-b.a.example": "garden.test. 192.0.2.80", "to-a.b.example": "NXDOMAIN", "www.fast.example": "NXDOMAIN", "example": "nodata",
		}},
		{"the last of the servers' names counts", [][]string{{"ns1.dns.test.rpz-nsdname CNAME .", "ns2.dns.test.rpz-nsdname CNAME *."}}, map[string]string{
			"www.a.example": "nodata", "www.c.b.example": "NXDOMAIN",
		}},
		{"servers of parents", [][]string{{"ns.other.test.rpz-nsdname CNAME *."}}, map[string]string{"www.c.b.example": "nodata", "www.a.example": "192.0.2.1"}},
		{"addresses", [][]string{{"32.1.100.51.198.rpz-nsip CNAME .", "24.0.113.0.203.rpz-nsip CNAME *.", "48.zz.53.db8.2001.rpz-nsip A 192.0.2.7"}}, map[string]string{
			"www.b.example": "NXDOMAIN", "www.a.example": "192.0.2.7", "www.c.b.example": "NXDOMAIN", "www.fast.example": "NXDOMAIN",
		}},
		{"names precede addresses", [][]string{{"32.1.100.51.198.rpz-nsip CNAME .", "ns.other.test.rpz-nsdname CNAME *."}}, map[string]string{"www.b.example": "nodata"}},
		{"zones in order", [][]string{
			{"32.1.100.51.198.rpz-nsip CNAME rpz-passthru.", "32.2.2.0.192.rpz-ip CNAME *."}, {"ns.other.test.rpz-nsdname CNAME .", "www.c.b.example CNAME .", "www.a.example CNAME *."},
		}, map[string]string{
			"www.b.example": "nodata", "www.fast.example": "192.0.2.5", "www.c.b.example": "192.0.2.3", "www.a.example": "nodata", "to-a.b.example": "www.a.example. 192.0.2.1",
		}},
	} {
		var zones []*dnsfilter.PolicyZone
		for _, lines := range c.zones {
			zones = append(zones, policyZone(t, lines...))
		}
		up := &countingUp{Upstream: recursor{dnstest.NewZone(t, delegated)}, asked: map[string]int{}}
		s := dnstest.NewServer(t, dnsfilter.Config{Store: dnstest.NewStore(t, nil), Policy: zonePolicy(zones...), Upstream: up, Clients: everyone})
		for asked, want := range c.want {
			name, qtype, from, network := parseAsked(t, asked)
			assert.Equal(t, want, verdict(t, s, from, network, name, qtype), "%s: %s", c.label, asked)
			assert.EventuallyWithT(t, func(e *assert.CollectT) { // what the first one has asked for may still come
				before := up.total()
				assert.Equal(e, want, verdict(t, s, from, network, name, qtype), "%s: %s, again", c.label, asked)
				assert.LessOrEqual(e, up.total()-before, 2, "%s: %s is asked from the cache, unless its TTL is 0", c.label, asked)
			}, time.Minute, 5*time.Millisecond)
		}
	}
}

// TestNameServersThatStayUnknown has no cache, or an upstream that fails, and answers all the same.
func TestNameServersThatStayUnknown(t *testing.T) {
	t.Parallel()
	z := policyZone(t, "ns.other.test.rpz-nsdname CNAME .", "32.1.100.51.198.rpz-nsip CNAME .")
	up := &countingUp{Upstream: recursor{dnstest.NewZone(t, delegated)}, asked: map[string]int{}}
	s := dnstest.NewServer(t, dnsfilter.Config{Store: dnstest.NewStore(t, nil), Policy: zonePolicy(z), Upstream: up, Clients: everyone, Cache: -1})
	assert.Equal(t, "192.0.2.2", verdict(t, s, "192.0.2.200", "udp", "www.b.example.", dns.TypeA))
	assert.Less(t, up.total(), 60)
}

// TestNameServersOverUDP asks a server on loopback, where the client waits for other questions on the fast path.
func TestNameServersOverUDP(t *testing.T) {
	t.Parallel()
	z := policyZone(t, "32.1.100.51.198.rpz-nsip CNAME .", "www.c.b.example CNAME rpz-passthru.")
	s := dnstest.NewServer(t, dnsfilter.Config{Store: dnstest.NewStore(t, nil), Policy: zonePolicy(z), Upstream: recursor{dnstest.NewZone(t, delegated)}})
	addr, _ := dnstest.Serve(t, s)
	for _, network := range []string{"udp", "tcp"} {
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				assert.Equal(t, "NXDOMAIN", short(dnstest.Exchange(t, network, addr, dnstest.Question("www.b.example.", dns.TypeA))))
				assert.Equal(t, "192.0.2.1", short(dnstest.Exchange(t, network, addr, dnstest.Question("www.a.example.", dns.TypeA))))
				assert.Equal(t, "NXDOMAIN www.b.example.", short(dnstest.Exchange(t, network, addr, dnstest.Question("to-b.a.example.", dns.TypeA))))
				assert.Equal(t, "192.0.2.3", short(dnstest.Exchange(t, network, addr, dnstest.Question("www.c.b.example.", dns.TypeA))))
			})
		}
		all.Wait()
	}
}
