package dnsfilter

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// body makes a packed answer of about the given size, with a number in it.
func body(t testing.TB, name string, size, number int) []byte {
	t.Helper()
	m := new(dns.Msg).SetQuestion(name, dns.TypeTXT)
	for len(m.Answer)*60 < size {
		m.Answer = append(m.Answer, &dns.TXT{
			Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 300}, Txt: []string{fmt.Sprintf("%040d", number)},
		})
	}
	m.Id, m.RecursionDesired = 0, false
	m.Compress = true
	b, err := m.Pack()
	require.NoError(t, err)
	return b
}

// asking makes a query for TXT records.
func asking(t testing.TB, name string) *query {
	t.Helper()
	q := new(query)
	require.True(t, q.parse(new(dns.Msg).SetQuestion(name, dns.TypeTXT), true))
	return q
}

// fetch returns the body that the cache has, nil if there is none.
func fetch(c *cache, q *query) []byte {
	m, how := c.get(nil, q, c.now())
	if how != fresh && how != due {
		return nil
	}
	clear(m[:2])
	return m
}

// TestCacheReturnsWhatWasPut puts far more than fits, in random sizes, and checks everything that is still there.
func TestCacheReturnsWhatWasPut(t *testing.T) {
	t.Parallel()
	for _, size := range []int64{64 << 10, 1 << 20, 4 << 20} {
		synctest.Test(t, func(t *testing.T) { testCacheReturnsWhatWasPut(t, size) })
	}
}

func testCacheReturnsWhatWasPut(t *testing.T, size int64) {
	c := newCache(size)
	random := rand.New(rand.NewPCG(1, 2))
	want := map[string]string{}
	var names []string
	for i := range 20_000 {
		name := fmt.Sprintf("n%d.test.", random.IntN(10_000))
		q := asking(t, name)
		b := body(t, name, random.IntN(900), i)
		c.put(q.key, b, 300, c.now())
		want[name] = string(b)
		names = append(names, name)
		if old := names[random.IntN(len(names))]; random.IntN(2) == 0 {
			if got := fetch(c, asking(t, old)); got != nil {
				require.Equal(t, want[old], string(got))
			}
		}
		require.Equal(t, string(b), string(fetch(c, q)), "the newest is there")
	}
	bytes := 0
	for name, b := range want {
		if got := fetch(c, asking(t, name)); got != nil {
			bytes += len(got)
			assert.Equal(t, b, string(got))
		}
	}
	assert.Greater(t, bytes, int(size)/4, "it holds what fits")
	assert.Less(t, bytes, int(size))
	checkShards(t, c)
}

// checkShards checks that each segment is in one place, and that the index names whole entries only.
func checkShards(t *testing.T, c *cache) {
	t.Helper()
	for i := range c.shards {
		s := &c.shards[i]
		segments := append(append(append([]int(nil), s.free...), s.queues[short]...), s.queues[main]...)
		slices.Sort(segments)
		for n, segment := range segments {
			require.Equal(t, n, segment)
		}
		require.Len(t, segments, len(s.used))
		starts := map[int]bool{}
		for _, segment := range append(append([]int(nil), s.queues[short]...), s.queues[main]...) {
			for at := segment * s.per; at < segment*s.per+s.used[segment]; at += entryHeader + int(s.words[at+2].Load()&0xffff+7)/8 {
				starts[at] = true
			}
		}
		for n := range s.slots {
			if at := slotAt(s.slots[n].Load()); at >= 0 {
				require.True(t, starts[at])
			}
		}
	}
}

// TestCacheOutlivesAScan asks for some names again and again while a flood of others passes through.
func TestCacheOutlivesAScan(t *testing.T) {
	t.Parallel()
	const size, popular = 1 << 20, 1000
	c := newCache(size)
	misses := 0
	for i := range 100_000 {
		name := fmt.Sprintf("popular-%d.test.", i%popular)
		q := asking(t, name)
		if fetch(c, q) == nil {
			misses++
			c.put(q.key, body(t, name, 1, i), 300, c.now())
		}
		once := fmt.Sprintf("once-%d.test.", i)
		c.put(asking(t, once).key, body(t, once, 1, i), 300, c.now())
	}
	assert.Less(t, misses, 5*popular)
}

func TestCacheBounds(t *testing.T) {
	t.Parallel()
	q := asking(t, "a.test.")
	none := newCache(0)
	none.put(q.key, body(t, "a.test.", 100, 0), 300, none.now())
	assert.Nil(t, fetch(none, q))
	small := newCache(32 << 10)
	small.put(q.key, body(t, "a.test.", 1500, 0), 300, small.now())
	assert.Nil(t, fetch(small, q), "too large for its segment")
	small.put(q.key, body(t, "a.test.", 100, 0), 0, small.now())
	assert.Nil(t, fetch(small, q), "not to be kept")
	small.put(q.key, body(t, "a.test.", 100, 0), 1, small.now())
	assert.NotNil(t, fetch(small, q))
	assert.Nil(t, fetch(small, asking(t, "b.test.")))
}

func TestCacheKeepsWhatIsStale(t *testing.T) {
	t.Parallel()
	c, q := newCache(1<<20), asking(t, "a.test.")
	now := c.now()
	c.put(q.key, body(t, "a.test.", 1, 0), 100, now)
	for _, at := range []struct {
		later uint32
		want  found
	}{{0, fresh}, {50, fresh}, {89, fresh}, {95, due}, {99, due}, {100, stale}, {99 + maxStale, stale}, {100 + maxStale, notFound}} {
		_, how := c.get(nil, q, now+at.later)
		assert.Equal(t, at.want, how, at.later)
	}
}

func TestCacheIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	c := newCache(64 << 10)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 3000 {
				name := fmt.Sprintf("n%d.test.", i%700)
				q, b := asking(t, name), body(t, name, 200, i%700)
				if m, how := c.get(nil, q, 1); how != notFound {
					clear(m[:2])
					assert.Equal(t, b, m)
				}
				c.put(q.key, b, 300, 1)
			}
		})
	}
	wg.Wait()
	checkShards(t, c)
}

func TestLifetime(t *testing.T) {
	t.Parallel()
	soa := "test. 500 SOA ns.test. h.test. 1 2 3 4 "
	for _, c := range []struct {
		name       string
		rcode      int
		answer, ns string
		want       uint32
	}{
		{"answer", dns.RcodeSuccess, "a.test. 100 A 192.0.2.1", "", 100},
		{"shortest counts", dns.RcodeSuccess, "a.test. 100 A 192.0.2.1", "test. 50 NS ns.test.", 50},
		{"at most a day", dns.RcodeSuccess, "a.test. 1000000 A 192.0.2.1", "", 86400},
		{"top bit set", dns.RcodeSuccess, "a.test. 2147483648 A 192.0.2.1", "", 86400}, // RFC 8767, section 4
		{"no data", dns.RcodeSuccess, "", soa + "60", 60},
		{"no name", dns.RcodeNameError, "", soa + "600", 500},
		{"no name, at most an hour", dns.RcodeNameError, "", "test. 9000 SOA ns.test. h.test. 1 2 3 4 8000", 3600},
		{"no name behind an alias", dns.RcodeNameError, "a.test. 30 CNAME b.test.", soa + "60", 30},
		{"no name without SOA", dns.RcodeNameError, "", "", 0},
		{"referral", dns.RcodeSuccess, "", "test. 500 NS ns.test.", 0},
		{"failure", dns.RcodeServerFailure, "", "", 5},
		{"refused", dns.RcodeRefused, "", soa + "60", 0},
	} {
		m := new(dns.Msg).SetQuestion("a.test.", dns.TypeA)
		m.Rcode = c.rcode
		for text, section := range map[string]*[]dns.RR{c.answer: &m.Answer, c.ns: &m.Ns} {
			if text != "" {
				rr, err := dns.NewRR(text)
				require.NoError(t, err)
				*section = append(*section, rr)
			}
		}
		packed, err := m.Pack()
		require.NoError(t, err)
		assert.Equal(t, c.want, lifetime(packed), c.name)
		for r := range records(packed) {
			assert.LessOrEqual(t, binary.BigEndian.Uint32(r.ttl), uint32(maxTTL), c.name)
			if r.rrtype == dns.TypeSOA && c.answer == "" && c.want > 0 {
				assert.Equal(t, c.want, binary.BigEndian.Uint32(r.ttl), c.name)
			}
		}
	}
}

// FuzzRecords walks messages that break off anywhere.
func FuzzRecords(f *testing.F) {
	f.Add(body(f, "a.test.", 100, 0))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, m []byte) {
		if len(m) < headerSize {
			return
		}
		n := 0
		for r := range records(m) {
			require.Len(t, r.ttl, 4)
			n++
		}
		assert.LessOrEqual(t, n*11, len(m))
	})
}

// TestFailedLookupsRest has an answer that expires and can't be looked up again: it stands in, and rests between the tries. The time of
// the next try has 16 bits, so it is looked at where these wrap.
func TestFailedLookupsRest(t *testing.T) {
	t.Parallel()
	for _, start := range []uint32{1, 65_530, 65_536, 1 << 20} {
		c, q := newCache(1<<20), asking(t, "a.test.")
		answer, failure := body(t, "a.test.", 60, 1), q.failure(errFault)
		state := func(after uint32) found { _, how := c.get(nil, q, start+after); return how }
		c.put(q.key, answer, 10, start)
		assert.Equal(t, stale, state(10))
		c.put(q.key, failure, failureTTL, start+20)
		assert.Equal(t, resting, state(20))
		assert.Equal(t, resting, state(24))
		assert.Equal(t, ailing, state(26))
		assert.Equal(t, ailing, state(20+failureTTL+ailingFor-2))
		assert.Equal(t, stale, state(20+failureTTL+ailingFor+1), "it may be well by now")
		c.rest(q.key, 0, start+100)
		assert.Equal(t, ailing, state(101))
		c.put(q.key, answer, 10, start+102)
		assert.Equal(t, fresh, state(103))
		c.rest(asking(t, "b.test.").key, 0, start+100)
	}
}

// TestExtendedErrorsAreKept puts them in the place of the id.
func TestExtendedErrorsAreKept(t *testing.T) {
	t.Parallel()
	c, q := newCache(1<<20), asking(t, "a.test.")
	c.put(q.key, q.failure(errFault), 5, c.now())
	m, how := c.get(nil, q, c.now())
	require.Equal(t, fresh, how)
	assert.Equal(t, int(dns.ExtendedErrorCodeNetworkError)+1, count(m, 0))
	m, _ = c.get(m, q, c.now()+6)
	assert.Empty(t, m, "a failure stands in for nothing")
	plain := asking(t, "b.test.")
	c.put(plain.key, body(t, "b.test.", 60, 1), 5, c.now())
	m, how = c.get(q.failure(errFault), plain, c.now())
	require.Equal(t, fresh, how)
	assert.Zero(t, count(m, 0))
}

// TestExtendedErrorsCutNothing has answers that fill what the client takes.
func TestExtendedErrorsCutNothing(t *testing.T) {
	t.Parallel()
	q := query{edns: true, size: minSize}
	for size := minSize - 40; size <= minSize-11; size++ {
		m := q.finish(make([]byte, size), 0, ede{codes: [2]uint16{1, 2}, text: [2]string{"text"}})
		assert.Zero(t, m[2]&(flagTC>>8), size)
		assert.LessOrEqual(t, len(m), minSize)
		assert.Equal(t, size <= minSize-11-12, len(m) > size+11, "%d: the codes are there if there is room", size)
	}
}

// TestFlushForgetsANameAndWhatIsBelow leaves the neighbours of a name alone.
func TestFlushForgetsANameAndWhatIsBelow(t *testing.T) {
	t.Parallel()
	s := &Server{cache: newCache(1 << 20)}
	names := []string{"example.org.", "www.example.org.", "a.b.example.org.", "notexample.org.", "org.", "."}
	for _, name := range names {
		s.cache.put(asking(t, name).key, body(t, name, 60, 1), 300, s.cache.now())
	}
	held := func() (n int) {
		for _, name := range names {
			if fetch(s.cache, asking(t, name)) != nil {
				n++
			}
		}
		return n
	}
	require.Equal(t, len(names), held())
	n, err := s.Flush("Example.ORG")
	require.NoError(t, err)
	assert.Equal(t, 3, n)
	assert.Equal(t, 3, held())
	assert.NotNil(t, fetch(s.cache, asking(t, "notexample.org.")))
	n, err = s.Flush(".")
	require.NoError(t, err)
	assert.Equal(t, 3, n)
	assert.Zero(t, held())
	_, err = s.Flush("a..b")
	require.Error(t, err)
}
