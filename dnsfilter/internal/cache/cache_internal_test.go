package cache

import (
	"bytes"
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

	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
	"github.com/argine-dns/argine/testdata/longtest"
)

// message makes a packed answer of about the given size, with a number in it.
func message(t testing.TB, name string, size, number int) []byte {
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

// key returns the key of a query for TXT records.
func key(t testing.TB, name string) []byte {
	t.Helper()
	m, err := new(dns.Msg).SetQuestion(dns.CanonicalName(name), dns.TypeTXT).Pack()
	require.NoError(t, err)
	return append(m[dnswire.HeaderSize:], 0)
}

// failure returns a SERVFAIL message with an extended error in place of its ID.
func failure(key []byte) []byte {
	m := []byte{0, byte(dns.ExtendedErrorCodeNetworkError) + 1, dnswire.FlagQR >> 8, dns.RcodeServerFailure, 0, 1, 0, 0, 0, 0, 0, 0}
	return append(m, key[:len(key)-1]...)
}

// get returns what the cache has for a key.
func get(c *Cache, dst, key []byte, now uint32) ([]byte, State) {
	return c.Get(dst, key, key[:len(key)-1], now)
}

// fetch returns the message that the cache has, nil if there is none.
func fetch(c *Cache, key []byte) []byte {
	m, state := get(c, nil, key, c.Now())
	if state != Fresh && state != Prefetch {
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
	c := New(size)
	random := rand.New(rand.NewPCG(1, 2))
	want := map[string]string{}
	var names []string
	for i := range longtest.Rounds(10_000, 20_000) {
		name := fmt.Sprintf("n%d.test.", random.IntN(10_000))
		k := key(t, name)
		b := message(t, name, random.IntN(900), i)
		c.Put(k, b, 300, c.Now())
		want[name] = string(b)
		names = append(names, name)
		if old := names[random.IntN(len(names))]; random.IntN(2) == 0 {
			if got := fetch(c, key(t, old)); got != nil {
				require.True(t, bytes.Equal([]byte(want[old]), got), old)
			}
		}
		require.True(t, bytes.Equal(b, fetch(c, k)), "the newest is there")
	}
	held := 0
	for name, b := range want {
		if got := fetch(c, key(t, name)); got != nil {
			held += len(got)
			assert.Equal(t, b, string(got))
		}
	}
	assert.Greater(t, held, int(size)/4, "it holds what fits")
	assert.Less(t, held, int(size))
	checkShards(t, c)
}

// checkShards checks that each segment is in one place, and that the index names whole entries only.
func checkShards(t *testing.T, c *Cache) {
	t.Helper()
	for i := range c.shards {
		s := &c.shards[i]
		segments := append(append(append([]int(nil), s.free...), s.queues[smallQueue]...), s.queues[mainQueue]...)
		slices.Sort(segments)
		for n, segment := range segments {
			require.Equal(t, n, segment)
		}
		require.Len(t, segments, len(s.used))
		starts := map[int]bool{}
		for _, segment := range append(append([]int(nil), s.queues[smallQueue]...), s.queues[mainQueue]...) {
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
	c := New(size)
	misses := 0
	for i := range longtest.Rounds(30_000, 100_000) {
		name := fmt.Sprintf("popular-%d.test.", i%popular)
		k := key(t, name)
		if fetch(c, k) == nil {
			misses++
			c.Put(k, message(t, name, 1, i), 300, c.Now())
		}
		once := fmt.Sprintf("once-%d.test.", i)
		c.Put(key(t, once), message(t, once, 1, i), 300, c.Now())
	}
	assert.Less(t, misses, 5*popular)
}

func TestCacheBounds(t *testing.T) {
	t.Parallel()
	k := key(t, "a.test.")
	none := New(0)
	none.Put(k, message(t, "a.test.", 100, 0), 300, none.Now())
	assert.Nil(t, fetch(none, k))
	small := New(32 << 10)
	small.Put(k, message(t, "a.test.", 1500, 0), 300, small.Now())
	assert.Nil(t, fetch(small, k), "too large for its segment")
	small.Put(k, message(t, "a.test.", 100, 0), 0, small.Now())
	assert.Nil(t, fetch(small, k), "not to be kept")
	small.Put(k, message(t, "a.test.", 100, 0), 1, small.Now())
	assert.NotNil(t, fetch(small, k))
	assert.Nil(t, fetch(small, key(t, "b.test.")))
}

func TestCacheKeepsWhatIsStale(t *testing.T) {
	t.Parallel()
	c, k := New(1<<20), key(t, "a.test.")
	now := c.Now()
	c.Put(k, message(t, "a.test.", 1, 0), 100, now)
	for _, at := range []struct {
		later uint32
		want  State
	}{{0, Fresh}, {50, Fresh}, {89, Fresh}, {95, Prefetch}, {99, Prefetch}, {100, Stale}, {99 + DefaultStale, Stale}, {100 + DefaultStale, NotFound}} {
		_, state := get(c, nil, k, now+at.later)
		assert.Equal(t, at.want, state, at.later)
	}
}

func TestCacheIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	c := New(64 << 10)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 3000 {
				name := fmt.Sprintf("n%d.test.", i%700)
				k, b := key(t, name), message(t, name, 200, i%700)
				if m, state := get(c, nil, k, 1); state != NotFound {
					clear(m[:2])
					assert.Equal(t, b, m)
				}
				c.Put(k, b, 300, 1)
			}
		})
	}
	wg.Wait()
	checkShards(t, c)
}

func TestTTL(t *testing.T) {
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
		assert.Equal(t, c.want, TTL(packed), c.name)
		for r := range dnswire.Records(packed) {
			assert.LessOrEqual(t, binary.BigEndian.Uint32(r.TTL), uint32(maxTTL), c.name)
			if r.Type == dns.TypeSOA && c.answer == "" && c.want > 0 {
				assert.Equal(t, c.want, binary.BigEndian.Uint32(r.TTL), c.name)
			}
		}
	}
}

// TestFailedLookupsAreHeldDown has an answer that expires and can't be looked up again: it is served stale, and the
// next look-up waits. The time of that one has 16 bits, so it is tested where these wrap.
func TestFailedLookupsAreHeldDown(t *testing.T) {
	t.Parallel()
	for _, start := range []uint32{1, 65_530, 65_536, 1 << 20} {
		c, k := New(1<<20), key(t, "a.test.")
		answer, failed := message(t, "a.test.", 60, 1), failure(k)
		state := func(after uint32) State { _, state := get(c, nil, k, start+after); return state }
		c.Put(k, answer, 10, start)
		assert.Equal(t, Stale, state(10))
		c.Put(k, failed, FailureTTL, start+20)
		assert.Equal(t, HeldDown, state(20))
		assert.Equal(t, HeldDown, state(24))
		assert.Equal(t, Failing, state(26))
		assert.Equal(t, Failing, state(20+FailureTTL+holdDown-2))
		assert.Equal(t, Stale, state(20+FailureTTL+holdDown+1), "it may be well by now")
		c.HoldDown(k, 0, start+100)
		assert.Equal(t, Failing, state(101))
		c.Put(k, answer, 10, start+102)
		assert.Equal(t, Fresh, state(103))
		c.HoldDown(key(t, "b.test."), 0, start+100)
	}
}

// TestExtendedErrorsAreKept keeps them in place of the ID.
func TestExtendedErrorsAreKept(t *testing.T) {
	t.Parallel()
	c, k := New(1<<20), key(t, "a.test.")
	c.Put(k, failure(k), 5, c.Now())
	m, state := get(c, nil, k, c.Now())
	require.Equal(t, Fresh, state)
	assert.Equal(t, int(dns.ExtendedErrorCodeNetworkError)+1, dnswire.Uint16(m, 0))
	m, _ = get(c, m, k, c.Now()+6)
	assert.Empty(t, m, "a failure is not served stale")
	other := key(t, "b.test.")
	c.Put(other, message(t, "b.test.", 60, 1), 5, c.Now())
	m, state = get(c, failure(k), other, c.Now())
	require.Equal(t, Fresh, state)
	assert.Zero(t, dnswire.Uint16(m, 0))
}
