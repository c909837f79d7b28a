package config_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/config"
)

func TestZonesOfOthers(t *testing.T) {
	t.Parallel()
	s, err := config.Read(writeFile(t, t.TempDir(), "dnsfilter.yaml", `
upstream: [192.0.2.53]
forward: {corp.example: [10.0.0.1, "tls://10.0.0.2#dns.example"], 10.in-addr.arpa: [10.0.0.1]}
canaries: {use-application-dns.net: nxdomain, mask.icloud.com: nodata}
`))
	require.NoError(t, err)
	c, err := s.LoadServer()
	require.NoError(t, err)
	for name, want := range map[string]struct {
		zone      string
		forwarded bool
	}{
		"a.corp.example": {"corp.example", true}, "1.0.0.10.in-addr.arpa": {"10.in-addr.arpa", true},
		"1.0.168.192.in-addr.arpa": {"168.192.in-addr.arpa", false}, "mask.icloud.com": {"mask.icloud.com", false},
		"www.example.org": {"", false},
	} {
		wire, err := blocklist.ParseName(name)
		require.NoError(t, err)
		zone, forwarded := c.OwnZone([]byte(wire))
		assert.Equal(t, want.forwarded, forwarded, name)
		assert.Equal(t, want.zone, zone.String(), name)
	}
	require.Len(t, c.Forward, 2)
	assert.Len(t, s.Forward[0].Resolvers, 2)
	assert.Equal(t, dnsfilter.NoData, c.Canaries["\x04mask\x06icloud\x03com\x00"])
	_, err = dnsfilter.New(c)
	require.NoError(t, err)
}

// A recursor may be trusted with these names: all of them are a choice of the operator's. The zone in which clients
// discover another way to their resolver is not given away by naming others.
func TestSpecialZonesAreAChoice(t *testing.T) {
	t.Parallel()
	for settings, names := range map[string]map[string]bool{
		"# all\n":                    {"a.invalid": true, "1.0.0.10.in-addr.arpa": true, "_dns.resolver.arpa": true},
		"local: [10.in-addr.arpa]\n": {"a.invalid": false, "1.0.0.10.in-addr.arpa": true, "_dns.resolver.arpa": true},
		"local: []\n":                {"a.invalid": false, "1.0.0.10.in-addr.arpa": false, "_dns.resolver.arpa": true},
		"local: [-resolver.arpa]\n":  {"a.invalid": false, "_dns.resolver.arpa": false},
	} {
		s, err := config.Read(writeFile(t, t.TempDir(), "dnsfilter.yaml", settings))
		require.NoError(t, err)
		for name, local := range names {
			wire, err := blocklist.ParseName(name)
			require.NoError(t, err)
			server := s.Server()
			zone, forwarded := server.OwnZone([]byte(wire))
			assert.Equal(t, local, zone != "", "%q %s", settings, name)
			assert.False(t, forwarded)
		}
	}
}
