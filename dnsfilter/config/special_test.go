package config_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/config"
)

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
			assert.Equal(t, local, server.SpecialZone([]byte(wire)) != "", "%q %s", settings, name)
		}
	}
}
