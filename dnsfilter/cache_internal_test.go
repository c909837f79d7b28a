package dnsfilter

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// body makes a packed answer of about the given size.
func body(t testing.TB, name string, size int) []byte {
	t.Helper()
	m := new(dns.Msg).SetQuestion(name, dns.TypeTXT)
	for len(m.Answer)*60 < size {
		m.Answer = append(m.Answer, &dns.TXT{
			Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 300}, Txt: []string{fmt.Sprintf("%040d", len(m.Answer))},
		})
	}
	b, err := m.Pack()
	require.NoError(t, err)
	return b
}

// fetch returns the answer to key, nil if there is none.
func fetch(c *cache, key string) []byte {
	m, ok := c.get(nil, []byte(key))
	if !ok {
		return nil
	}
	return m
}

// TestCacheReturnsWhatWasPut puts far more than fits, in random sizes, and checks everything that is still there. The
// clock stands still.
func TestCacheReturnsWhatWasPut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testCacheReturnsWhatWasPut)
}

func testCacheReturnsWhatWasPut(t *testing.T) {
	const size = 4 << 20
	c := newCache(size)
	random := rand.New(rand.NewPCG(1, 2))
	want := map[string]string{}
	var keys []string
	for i := range 20_000 {
		key := fmt.Sprint("key ", random.IntN(10_000))
		b := body(t, fmt.Sprintf("n%d.test.", i), random.IntN(2000))
		c.put([]byte(key), b, 300)
		want[key] = string(b)
		keys = append(keys, key)
		if old := keys[random.IntN(len(keys))]; random.IntN(2) == 0 {
			if got := fetch(c, old); got != nil {
				require.Equal(t, want[old], string(got))
			}
		}
		require.Equal(t, string(b), string(fetch(c, key)), "the newest is there")
	}
	used, found := 0, 0
	for i := range c.shards {
		used += len(c.shards[i].ring)
	}
	for key, b := range want {
		if got := fetch(c, key); got != nil {
			found++
			assert.Equal(t, b, string(got))
		}
	}
	assert.LessOrEqual(t, used, size)
	assert.Greater(t, found, 2000, "it holds what fits")
	for i := range c.shards {
		assert.LessOrEqual(t, len(c.shards[i].index), found+1000, "the index forgets what is overwritten")
	}
}

func TestCacheBounds(t *testing.T) {
	t.Parallel()
	none := newCache(0)
	none.put([]byte("k"), body(t, "a.test.", 100), 300)
	assert.Nil(t, fetch(none, "k"))
	small := newCache(cacheShards * 1000)
	small.put([]byte("k"), body(t, "a.test.", 300), 300)
	assert.Nil(t, fetch(small, "k"), "too large for its shard")
	small.put([]byte("k"), body(t, "a.test.", 100), 0)
	assert.Nil(t, fetch(small, "k"), "not to be kept")
	small.put([]byte("k"), body(t, "a.test.", 100), 1)
	assert.NotNil(t, fetch(small, "k"))
	assert.Nil(t, fetch(small, "K"))
}

func TestCacheIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testCacheIsSafeForConcurrentUse)
}

func testCacheIsSafeForConcurrentUse(t *testing.T) {
	c := newCache(cacheShards * 4096)
	answer := body(t, "a.test.", 200)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 5000 {
				key := binary.BigEndian.AppendUint32(nil, uint32(i%700))
				if got := fetch(c, string(key)); got != nil {
					assert.Equal(t, answer, got)
				}
				c.put(key, answer, 300)
			}
		})
	}
	wg.Wait()
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
		{"top bit set", dns.RcodeSuccess, "a.test. 2147483648 A 192.0.2.1", "", 0},
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
		}
	}
}

// FuzzRecords walks messages that break off anywhere.
func FuzzRecords(f *testing.F) {
	f.Add(body(f, "a.test.", 100))
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
