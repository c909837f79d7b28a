package cookie

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
		valid   bool
		want    string
	}{
		{"198.51.100.100", []string{first}, "2464c4abcf10c957", 1559731985, false, "2464c4abcf10c957010000005cf79f111f8130c3eee29480"},
		{"198.51.100.100", []string{first}, "2464c4abcf10c957010000005cf79f111f8130c3eee29480", 1559734385, true, "2464c4abcf10c957010000005cf7a871d4a564a1442aca77"},
		{"2001:db8:220:1:59de:d0f4:8769:82b8", []string{next, old}, "22681ab97d52c298010000005cf7c57926556bd0934c72f8", 1559741961, true, "22681ab97d52c298010000005cf7c609a6bb79d16625507a"},
	} {
		var secrets []Secret
		for _, s := range c.secrets {
			secret, err := hex.DecodeString(s)
			require.NoError(t, err)
			secrets = append(secrets, Secret(secret))
		}
		sent, err := hex.DecodeString(c.sent)
		require.NoError(t, err)
		client := netip.MustParseAddr(c.client)
		valid, replace := Verify(secrets, sent, client, c.now)
		assert.Equal(t, c.valid, valid, c.sent)
		assert.True(t, replace, c.sent)
		made := secrets[0].Make(sent, client, c.now)
		assert.Equal(t, c.want, hex.EncodeToString(made[:]))
	}
}

func TestAgesOfCookies(t *testing.T) {
	const now = 1 << 31 // where a signed clock would break
	client := netip.MustParseAddr("192.0.2.1")
	secrets := []Secret{NewSecret(), NewSecret(), NewSecret()}
	made := func(at uint32, s *Secret) []byte {
		c := s.Make([]byte("12345678"), client, at)
		return c[:]
	}
	for _, c := range []struct {
		age     int32
		valid   bool
		replace bool
	}{{0, true, false}, {1799, true, false}, {1800, true, true}, {3600, true, true}, {3601, false, true}, {-300, true, false}, {-301, false, true}} {
		valid, replace := Verify(secrets, made(uint32(now-int64(c.age)), &secrets[0]), client, now)
		assert.Equal(t, c.valid, valid, c.age)
		assert.Equal(t, c.replace, replace, c.age)
	}
	valid, replace := Verify(secrets, made(now, &secrets[1]), client, now)
	assert.True(t, valid, "of a secret that is on its way out")
	assert.True(t, replace)
	isValid := func(secrets []Secret, sent []byte, client string) bool {
		valid, _ := Verify(secrets, sent, netip.MustParseAddr(client), now)
		return valid
	}
	sent := made(now, &secrets[0])
	assert.EqualValues(t, now, binary.BigEndian.Uint32(sent[12:]))
	assert.False(t, isValid(secrets[2:], sent, "192.0.2.1"), "of a secret that is gone")
	for i := range sent {
		sent[i] ^= 1
		assert.False(t, isValid(secrets, sent, "192.0.2.1"), "byte %d", i)
		sent[i] ^= 1
	}
	assert.False(t, isValid(secrets, sent, "192.0.2.2"), "of another client")
	assert.True(t, isValid(secrets, sent, "::ffff:192.0.2.1"))
	assert.False(t, isValid(secrets, sent[:ClientSize], "192.0.2.1"))
	assert.Zero(t, testing.AllocsPerRun(100, func() { Verify(secrets, sent, client, now) }))
	assert.Zero(t, testing.AllocsPerRun(100, func() { secrets[0].Make(sent, client, now) }))
}

func BenchmarkVerify(b *testing.B) {
	client, secrets := netip.MustParseAddr("192.0.2.1"), []Secret{NewSecret()}
	sent := secrets[0].Make([]byte("12345678"), client, 1)
	for b.Loop() {
		Verify(secrets, sent[:], client, 1)
	}
}
