package blocklist_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/blocktest"
)

func TestAppendEntries(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir())
	blocktest.SetList(t, s, "other", "example.com", "192.0.2.7")
	blocktest.SetList(t, s, "local", "com", "a.example.com status=monitor", "=a.example.com category=c", "b.a.example.com", "old.com expires=2020-01-01",
		"192.0.2.0/24", "192.0.2.7 category=c", "192.0.0.0/16 expires=2020-01-01", "::ffff:0:0/96")
	targets := func(matches []blocklist.Match) (out []string) {
		for _, m := range matches {
			assert.Equal(t, "local", m.List)
			out = append(out, m.Entry())
		}
		return out
	}
	name := func(text string) []byte {
		n, err := blocklist.ParseName(text)
		assert.NoError(t, err)
		return []byte(n)
	}
	for text, want := range map[string][]string{
		"a.example.com": {"=a.example.com", "a.example.com", "com"}, "x.a.example.com": {"a.example.com", "com"}, "old.com": {"com"}, "example.org": nil, ".": nil,
	} {
		assert.Equal(t, want, targets(s.AppendEntries(nil, "local", name(text))), text)
	}
	assert.Empty(t, s.AppendEntries(nil, "none", name("com")))
	for text, want := range map[string][]string{
		"192.0.2.7": {"192.0.2.7", "192.0.2.0/24", "0.0.0.0/0"}, "192.0.3.1": {"0.0.0.0/0"}, "2001:db8::1": nil, "64:ff9b::192.0.2.8": {"192.0.2.0/24", "0.0.0.0/0"},
	} {
		assert.Equal(t, want, targets(s.AppendAddrEntries(nil, "local", netip.MustParseAddr(text))), text)
	}
	assert.Empty(t, s.AppendAddrEntries(nil, "none", netip.MustParseAddr("192.0.2.7")))
}
