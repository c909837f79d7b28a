package formats_test

import (
	"bytes"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
)

// Networks inside others are left out, since not all programs take them; an expired or monitored one is not written.
func TestWriteAddresses(t *testing.T) {
	const text = "192.0.2.7\n2001:db8:1::/48\n192.0.2.0/24\n198.51.100.8/29\n192.0.3.0/24\n192.0.2.128/25\n192.0.2.7\n" +
		"203.0.113.9 status=monitor\n203.0.113.1 expires=2026-01-01\n2001:db8::/32\n2001:db9::1\n"
	for _, f := range []formats.Format{formats.Nftables, formats.IPSet, formats.BIRD} {
		var out bytes.Buffer
		written, err := formats.Write(&out, f, entriesOf(t, text), formats.WriteOptions{Now: now, SkipUnsupported: true, Set: "it_example"})
		require.NoError(t, err)
		assert.Equal(t, formats.Written{
			Entries: 8, Covered: 3, Duplicates: 1, Expired: 1, Skipped: map[blocklist.Scope]int{blocklist.ScopeIP: 1},
		}, written, f)
		assert.Equal(t, []string{"192.0.2.0/24", "192.0.3.0/24", "198.51.100.8/29", "2001:db8::/32", "2001:db9::1/128"}, addresses(t, out.String()), f)
		assert.Contains(t, out.String(), "it_example6", f)
	}
	for _, name := range []string{"a-b", "7up", "_x", "a b", "a;flush ruleset", strings.Repeat("a", 27), "é"} {
		_, err := formats.Write(&bytes.Buffer{}, formats.Nftables, entriesOf(t, text), formats.WriteOptions{Set: name})
		assert.ErrorIs(t, err, blocklist.ErrMalformed, name)
	}
	_, err := formats.Write(&bytes.Buffer{}, formats.IPSet, entriesOf(t, "0.0.0.0/0\n"), formats.WriteOptions{})
	assert.ErrorContains(t, err, "1 ip", "an ipset has no such element")
	_, err = formats.Write(&bytes.Buffer{}, formats.BIRD, entriesOf(t, "0.0.0.0/0\na.test\n"), formats.WriteOptions{})
	assert.ErrorContains(t, err, "1 domain")
}

// A list without addresses empties the sets.
func TestWriteNoAddresses(t *testing.T) {
	for f, text := range map[formats.Format]string{
		formats.Nftables: "flush set inet argine blocked4\n", formats.IPSet: "flush blocked4-new\nswap blocked4-new blocked4\n",
		formats.BIRD: "protocol static blocked4 {\n\tipv4;\n}\n",
	} {
		var out bytes.Buffer
		_, err := formats.Write(&out, f, func(func(blocklist.Entry, error) bool) {}, formats.WriteOptions{})
		require.NoError(t, err)
		assert.Contains(t, out.String(), text)
		assert.Empty(t, addresses(t, out.String()))
	}
}

// elementPattern is an address or a network in a file for a firewall or a router.
var elementPattern = regexp.MustCompile(`(?m)^(?:\troute |\t|add \S+-new )([0-9a-f.:/]+)(?:,| blackhole .*|)$`)

// addresses returns the networks in a file for a firewall or a router.
func addresses(t *testing.T, text string) (all []string) {
	t.Helper()
	for _, m := range elementPattern.FindAllStringSubmatch(text, -1) {
		p, err := netip.ParsePrefix(m[1])
		if err != nil {
			a, err := netip.ParseAddr(m[1])
			require.NoError(t, err)
			p = netip.PrefixFrom(a, a.BitLen())
		}
		all = append(all, p.String())
	}
	return all
}

// FuzzAddresses writes addresses for firewalls and routers: they are those of the list, no more and no less.
func FuzzAddresses(f *testing.F) {
	f.Add([]byte{192, 0, 2, 0, 24, 192, 0, 2, 7, 32, 198, 51, 100, 8, 29})
	f.Add([]byte{0, 0, 0, 0, 0, 255, 255, 255, 255, 32})
	f.Fuzz(func(t *testing.T, data []byte) {
		var listed []netip.Prefix
		for ; len(data) >= 5; data = data[5:] {
			listed = append(listed, netip.PrefixFrom(netip.AddrFrom4([4]byte(data)), int(data[4])%32+1).Masked())
		}
		for _, to := range []formats.Format{formats.Nftables, formats.IPSet, formats.BIRD} {
			var out bytes.Buffer
			_, err := formats.Write(&out, to, func(yield func(blocklist.Entry, error) bool) {
				for _, p := range listed {
					e, err := blocklist.ParseEntry(p.String())
					require.NoError(t, err)
					if !yield(e, nil) {
						return
					}
				}
			}, formats.WriteOptions{})
			require.NoError(t, err)
			var written []netip.Prefix
			for _, text := range addresses(t, out.String()) {
				written = append(written, netip.MustParsePrefix(text))
			}
			require.True(t, covered(listed, written), to)
			require.True(t, covered(written, listed), to)
		}
	})
}

// covered reports whether each network is inside one of the others.
func covered(all, by []netip.Prefix) bool {
	for _, p := range all {
		found := false
		for _, outer := range by {
			found = found || outer.Bits() <= p.Bits() && outer.Contains(p.Addr())
		}
		if !found {
			return false
		}
	}
	return true
}
