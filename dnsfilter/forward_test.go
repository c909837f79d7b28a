package dnsfilter_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/blocktest"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

// counting is an upstream that counts what it is asked, and keeps the last query.
type counting struct {
	next dnsfilter.Upstream
	n    atomic.Int64
	last atomic.Pointer[dns.Msg]
}

func (c *counting) Exchange(ctx context.Context, q *dns.Msg) (*dns.Msg, error) {
	c.n.Add(1)
	c.last.Store(q.Copy())
	return c.next.Exchange(ctx, q)
}

const cacheZone = `
$TTL 300
test.            SOA ns.test. h.test. 1 3600 600 86400 60
a.test.          A 192.0.2.1
a.test.      20  A 192.0.2.2
zero.test.    0  A 192.0.2.3
week.test. 604800 A 192.0.2.4
slow.example. 90000 SOA ns.test. h.test. 1 3600 600 86400 80000
`

func TestTTLsCountDownAndEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up := &counting{next: dnstest.NewZone(t, cacheZone)}
		s := dnstest.NewServer(t, dnsfilter.Config{Upstream: up})
		for _, c := range []struct {
			name     string
			wait     time.Duration
			asked    int64
			ttls     []uint32
			negative bool
		}{
			{"a.test.", 0, 1, []uint32{300, 20}, false},
			{"A.test.", 7 * time.Second, 1, []uint32{293, 13}, false},
			{"a.test.", 12 * time.Second, 1, []uint32{281, 1}, false},
			{"a.test.", time.Second, 2, []uint32{300, 20}, false}, // the shortest has ended
			{"zero.test.", 0, 3, []uint32{0}, false},
			{"zero.test.", 0, 4, []uint32{0}, false},
			{"week.test.", 0, 5, []uint32{86400}, false},
			{"week.test.", 24 * time.Hour, 6, []uint32{86400}, false},
			{"none.test.", 0, 7, []uint32{60}, true},
			{"none.test.", 59 * time.Second, 7, []uint32{1}, true},
			{"none.test.", time.Second, 8, []uint32{60}, true},
			{"none.slow.example.", 0, 9, []uint32{3600}, true},
			{"none.slow.example.", 3599 * time.Second, 9, []uint32{1}, true},
			{"none.slow.example.", time.Second, 10, []uint32{3600}, true},
			{"nowhere.example.", 0, 11, nil, true}, // without SOA it is not kept
			{"nowhere.example.", 0, 12, nil, true},
		} {
			time.Sleep(c.wait)
			reply := ask(t, s, "udp", dnstest.Question(c.name, dns.TypeA))
			var ttls []uint32
			for _, rr := range append(reply.Answer, reply.Ns...) {
				ttls = append(ttls, rr.Header().Ttl)
			}
			assert.Equal(t, c.ttls, ttls, c)
			assert.Equal(t, c.asked, up.n.Load(), c)
			assert.Equal(t, c.negative, reply.Rcode == dns.RcodeNameError, c)
			assert.Equal(t, c.name, reply.Question[0].Name)
		}
	})
}

func TestServfailIsKeptShortly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up := &counting{next: upstreamFunc(func(_ context.Context, q *dns.Msg) (*dns.Msg, error) {
			return new(dns.Msg).SetRcode(q, dns.RcodeServerFailure), nil
		})}
		s := dnstest.NewServer(t, dnsfilter.Config{Upstream: up})
		for range 3 {
			assert.Equal(t, dns.RcodeServerFailure, ask(t, s, "udp", dnstest.Question("a.test.", dns.TypeA)).Rcode)
		}
		assert.EqualValues(t, 1, up.n.Load())
		time.Sleep(5 * time.Second)
		ask(t, s, "udp", dnstest.Question("a.test.", dns.TypeA))
		assert.EqualValues(t, 2, up.n.Load())
	})
}

func TestWhatIsCachedApart(t *testing.T) {
	t.Parallel()
	up := &counting{next: dnstest.NewZone(t, cacheZone)}
	s := dnstest.NewServer(t, dnsfilter.Config{Upstream: up})
	for round := range 2 {
		for i, variant := range []func(m *dns.Msg){
			func(*dns.Msg) {},
			func(m *dns.Msg) { m.CheckingDisabled = true },
			func(m *dns.Msg) { m.SetEdns0(1232, true) },
			func(m *dns.Msg) { m.CheckingDisabled = true; m.SetEdns0(1232, true) },
			func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeTXT },
			func(m *dns.Msg) { m.Question[0].Name = "b.test." },
		} {
			m := dnstest.Question("a.test.", dns.TypeA)
			variant(m)
			ask(t, s, "udp", m)
			assert.EqualValues(t, 6*round+(i+1)*(1-round), up.n.Load(), "round %d, variant %d", round, i)
			if round == 0 {
				sent := up.last.Load()
				assert.Equal(t, m.CheckingDisabled, sent.CheckingDisabled, i)
				assert.Equal(t, m.IsEdns0() != nil, sent.IsEdns0().Do(), i)
			}
		}
	}
	ask(t, s, "udp", dnstest.Question("a.test.", dns.TypeA).SetEdns0(512, false))
	assert.EqualValues(t, 6, up.n.Load(), "EDNS alone makes no difference")
	assert.EqualValues(t, 7, s.Stats().Hits)
}

func TestWhatTheUpstreamIsTold(t *testing.T) {
	t.Parallel()
	up := &counting{next: dnstest.NewZone(t, cacheZone)}
	s := dnstest.NewServer(t, dnsfilter.Config{Upstream: up})
	m := dnstest.Question(`A\.b.TEST.`, dns.TypeA).SetEdns0(4096, false)
	m.RecursionDesired = false
	m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: 24, Address: []byte{192, 0, 2, 0}}}
	ask(t, s, "udp", m)
	sent := up.last.Load()
	assert.Equal(t, `a\.b.test.`, sent.Question[0].Name)
	assert.True(t, sent.RecursionDesired)
	require.NotNil(t, sent.IsEdns0())
	assert.EqualValues(t, 1232, sent.IsEdns0().UDPSize())
	assert.Empty(t, sent.IsEdns0().Option)
}

func TestADIsForThoseWhoAsk(t *testing.T) {
	t.Parallel()
	zone := dnstest.NewZone(t, cacheZone)
	s := dnstest.NewServer(t, dnsfilter.Config{Upstream: upstreamFunc(func(ctx context.Context, q *dns.Msg) (*dns.Msg, error) {
		reply, err := zone.Exchange(ctx, q)
		reply.AuthenticatedData, reply.Authoritative = true, true
		return reply, err
	})})
	for range 2 {
		plain, ad, do := dnstest.Question("a.test.", dns.TypeA), dnstest.Question("a.test.", dns.TypeA), dnstest.Question("a.test.", dns.TypeA).SetEdns0(1232, true)
		ad.AuthenticatedData = true
		assert.False(t, ask(t, s, "udp", plain).AuthenticatedData)
		assert.True(t, ask(t, s, "udp", ad).AuthenticatedData)
		assert.True(t, ask(t, s, "udp", do).AuthenticatedData)
		assert.False(t, ask(t, s, "udp", do).Authoritative)
	}
}

func TestOneQueryForManyClients(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		zone := dnstest.NewZone(t, cacheZone)
		up := &counting{next: upstreamFunc(func(ctx context.Context, q *dns.Msg) (*dns.Msg, error) {
			time.Sleep(time.Second)
			return zone.Exchange(ctx, q)
		})}
		s := dnstest.NewServer(t, dnsfilter.Config{Upstream: up, Cache: -1})
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				name := []string{"a.test.", "A.test.", "a.TEST."}[i%3]
				reply := ask(t, s, "udp", dnstest.Question(name, dns.TypeA))
				assert.Len(t, reply.Answer, 2)
				assert.Equal(t, name, reply.Question[0].Name)
			})
		}
		wg.Wait()
		assert.EqualValues(t, 1, up.n.Load())
	})
}

func TestTooManyWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := dnstest.NewServer(t, dnsfilter.Config{
			Store:  dnstest.NewStore(t, map[string]string{"l": "listed.test"}),
			Policy: dnsfilter.Policy{Rules: []dnsfilter.Rule{{List: "l", Action: dnsfilter.NXDomain}}},
			Upstream: upstreamFunc(func(_ context.Context, q *dns.Msg) (*dns.Msg, error) {
				<-release
				return new(dns.Msg).SetReply(q), nil
			}),
		})
		const crowd = 3072 // from here on one network, or the names below one parent, may not have all the room
		for i := range crowd {
			go ask(t, s, "udp", dnstest.Question(fmt.Sprintf("n%d.test.", i), dns.TypeA))
		}
		synctest.Wait()
		assert.Nil(t, ask(t, s, "udp", dnstest.Question("more.test.", dns.TypeA)))
		assert.EqualValues(t, 1, s.Stats().Dropped)
		assert.Equal(t, dns.RcodeNameError, ask(t, s, "udp", dnstest.Question("listed.test.", dns.TypeA)).Rcode, "blocked names need no upstream")
		close(release)
		synctest.Wait()
		assert.NotNil(t, ask(t, s, "udp", dnstest.Question("more.test.", dns.TypeA)))
	})
}

func TestReconfigure(t *testing.T) {
	t.Parallel()
	store := dnstest.NewStore(t, map[string]string{"l": "a.test"})
	up := dnstest.NewZone(t, cacheZone)
	s := dnstest.NewServer(t, dnsfilter.Config{Store: store, Upstream: up})
	assert.Len(t, ask(t, s, "udp", dnstest.Question("a.test.", dns.TypeA)).Answer, 2)
	require.NoError(t, s.Reconfigure(dnsfilter.Config{Policy: dnsfilter.Policy{Rules: []dnsfilter.Rule{{List: "l", Action: dnsfilter.Refused}}}, Upstream: up}))
	assert.Equal(t, dns.RcodeRefused, ask(t, s, "udp", dnstest.Question("a.test.", dns.TypeA)).Rcode, "the decision comes before the cache")
	blocktest.SetList(t, store, "l", "b.test")
	assert.Len(t, ask(t, s, "udp", dnstest.Question("a.test.", dns.TypeA)).Answer, 2)
	assert.Equal(t, dns.RcodeRefused, ask(t, s, "udp", dnstest.Question("b.test.", dns.TypeA)).Rcode)
}
