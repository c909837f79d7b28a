package dnsfilter

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestCookiesOfRFC9018 has the examples of its appendix A.
func TestCookiesOfRFC9018(t *testing.T) {
	t.Parallel()
	const first, old, next = "e5e973e5a6b2a43f48e7dc849e37bfcf", "dd3bdf9344b678b185a6f5cb60fca715", "445536bcd2513298075a5d379663c962"
	for _, c := range []struct {
		client  string
		secrets []string
		sent    string
		now     uint32
		proven  bool
		want    string
	}{
		{"198.51.100.100", []string{first}, "2464c4abcf10c957", 1559731985, false, "2464c4abcf10c957010000005cf79f111f8130c3eee29480"},
		{"198.51.100.100", []string{first}, "2464c4abcf10c957010000005cf79f111f8130c3eee29480", 1559734385, true, "2464c4abcf10c957010000005cf7a871d4a564a1442aca77"},
		{"2001:db8:220:1:59de:d0f4:8769:82b8", []string{next, old}, "22681ab97d52c298010000005cf7c57926556bd0934c72f8", 1559741961, true, "22681ab97d52c298010000005cf7c609a6bb79d16625507a"},
	} {
		var secrets []CookieSecret
		for _, s := range c.secrets {
			secret, err := hex.DecodeString(s)
			require.NoError(t, err)
			secrets = append(secrets, CookieSecret(secret))
		}
		sent, err := hex.DecodeString(c.sent)
		require.NoError(t, err)
		q := query{sentCookie: sent}
		assert.Equal(t, c.proven, q.stampCookie(secrets, netip.MustParseAddr(c.client), c.now), c.sent)
		assert.Equal(t, c.want, hex.EncodeToString(q.cookie[:]))
	}
}

func TestAgesOfCookies(t *testing.T) {
	const now = 1 << 31 // where a signed clock would break
	client := netip.MustParseAddr("192.0.2.1")
	secrets := []CookieSecret{newCookieSecret(), newCookieSecret(), newCookieSecret()}
	make1 := func(at uint32, s []CookieSecret) []byte {
		q := query{sentCookie: []byte("12345678")}
		assert.False(t, q.stampCookie(s, client, at))
		return q.cookie[:]
	}
	for _, c := range []struct {
		age    int32
		proven bool
		same   bool
	}{{0, true, true}, {1799, true, true}, {1800, true, false}, {3600, true, false}, {3601, false, false}, {-300, true, true}, {-301, false, false}} {
		q := query{sentCookie: make1(uint32(now-int64(c.age)), secrets)}
		assert.Equal(t, c.proven, q.stampCookie(secrets, client, now), c.age)
		assert.Equal(t, c.same, string(q.cookie[:]) == string(q.sentCookie), c.age)
		if !c.same {
			assert.EqualValues(t, now, binary.BigEndian.Uint32(q.cookie[12:]))
		}
	}
	q := query{sentCookie: make1(now, secrets[1:])}
	assert.True(t, q.stampCookie(secrets, client, now), "of a secret that is on its way out")
	assert.Equal(t, make1(now, secrets), q.cookie[:], "the first secret makes the new one")
	assert.False(t, q.stampCookie(secrets[2:], client, now), "of one that is gone")
	for i := range fullCookie {
		q.sentCookie = make1(now, secrets)
		q.sentCookie[i] ^= 1
		assert.False(t, q.stampCookie(secrets, client, now), "byte %d", i)
	}
	q.sentCookie = make1(now, secrets)
	assert.False(t, q.stampCookie(secrets, netip.MustParseAddr("192.0.2.2"), now), "somebody else's")
	assert.True(t, q.stampCookie(secrets, netip.MustParseAddr("::ffff:192.0.2.1"), now))
	assert.Zero(t, testing.AllocsPerRun(100, func() { q.stampCookie(secrets, client, now) }))
	l := newLimiter(RateLimit{PerSecond: 1})
	assert.Zero(t, testing.AllocsPerRun(100, func() { l.allows(client) }))
}

func BenchmarkCookie(b *testing.B) {
	client, secrets := netip.MustParseAddr("192.0.2.1"), []CookieSecret{newCookieSecret()}
	q := query{sentCookie: []byte("12345678")}
	q.stampCookie(secrets, client, 1)
	q.sentCookie = append([]byte(nil), q.cookie[:]...)
	for b.Loop() {
		q.stampCookie(secrets, client, 1)
	}
}

func BenchmarkRateLimit(b *testing.B) {
	client, l := netip.MustParseAddr("192.0.2.1"), newLimiter(RateLimit{PerSecond: 1000})
	for b.Loop() {
		l.allows(client)
	}
}
