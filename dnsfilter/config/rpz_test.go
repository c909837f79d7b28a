package config_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/config"
)

const zoneKey = "key transfer { algorithm hmac-sha256; secret \"c2VjcmV0IHNlY3JldA==\"; };\n"

func TestPolicyZones(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, dir, "a.txt", "a.example\n")
	writeFile(t, dir, "transfer.key", zoneKey)
	const lists = "state: state\nlists:\n  - {name: a, file: a.txt}\n  - {name: b, file: a.txt, action: refused}\n  - {name: c, file: a.txt, categories: {x: refused}}\n" +
		"  - {name: d, file: a.txt, action: monitor}\n"
	s, err := readText(t, dir, "clients: [192.0.2.0/24]\n"+lists+"zone_files: http://127.0.0.1:8453\n"+
		"rpz:\n  - {zone: block.rpz.example, lists: [a], key: transfer.key, allow: [192.0.2.53], notify: [192.0.2.53, '[2001:db8::1]:5353'], file: block.zone, zonemd: on}\n"+
		"  - {zone: open.rpz.example, lists: [a], key: none, allow: [192.0.2.0/25]}\n")
	require.NoError(t, err)
	require.NoError(t, s.CheckFiles())
	require.Len(t, s.PolicyZones, 2)
	assert.Equal(t, []netip.AddrPort{netip.MustParseAddrPort("192.0.2.53:53"), netip.MustParseAddrPort("[2001:db8::1]:5353")}, s.PolicyZones[0].Notify)
	keys, err := s.PolicyZones[0].Keys()
	require.NoError(t, err)
	assert.Len(t, keys, 1)
	assert.True(t, s.PolicyZones[0].ZONEMD)
	assert.False(t, s.PolicyZones[1].ZONEMD)
	assert.Contains(t, s.OwnFiles(), s.PolicyZones[0].Key)
	assert.Equal(t, "127.0.0.1:8453", s.ZoneFiles.At.String())
	writeFile(t, dir, "transfer.key", "key")
	assert.ErrorContains(t, s.CheckFiles(), "reading TSIG keys")

	for zone, want := range map[string]string{
		"{lists: [a], key: none, allow: [127.0.0.1]}":                                       "needs its name",
		"{zone: z.example, key: none, allow: [127.0.0.1]}":                                  "needs lists",
		"{zone: z.example, lists: [a], allow: [127.0.0.1]}":                                 "needs a key",
		"{zone: z.example, lists: [a], key: none}":                                          "needs allow",
		"{zone: ., lists: [a], key: none, allow: [127.0.0.1]}":                              "write a name like",
		"{zone: z.example, lists: [e], key: none, allow: [127.0.0.1]}":                      "there is no list \"e\"",
		"{zone: z.example, lists: [b], key: none, allow: [127.0.0.1]}":                      "has the action refused, which a policy zone can't say",
		"{zone: z.example, lists: [c], key: none, allow: [127.0.0.1]}":                      "category \"x\" of list \"c\" has the action refused",
		"{zone: z.example, lists: [d], key: none, allow: [127.0.0.1]}":                      "has the action monitor",
		"{zone: z.example, lists: [a], key: none, allow: [198.51.100.1]}":                   "not all of 198.51.100.1/32 is served",
		"{zone: z.example, lists: [a], key: none, allow: [127.0.0.1], notify: [localhost]}": "notify \"localhost\"",
		"{zone: z.example, lists: [a], key: none, allow: [127.0.0.1], keys: x}":             "unknown setting",
	} {
		_, err := readText(t, dir, lists+"rpz:\n  - "+zone+"\n")
		assert.ErrorContains(t, err, want, zone)
	}
	_, err = readText(t, dir, "listen: ['udp://127.0.0.1:5353']\n"+lists+"rpz:\n  - {zone: z.example, lists: [a], key: none, allow: [127.0.0.1]}\n")
	assert.ErrorContains(t, err, "zone transfers go over TCP")
	_, err = readText(t, dir, lists+"rpz:\n"+strings.Repeat("  - {zone: z.example, lists: [a], key: none, allow: [127.0.0.1]}\n", 2))
	assert.ErrorContains(t, err, "is there already")
	_, err = readText(t, dir, lists+"zone_files: http://127.0.0.1:8453\n")
	assert.ErrorContains(t, err, "rpz names none")
	_, err = readText(t, dir, lists+"zone_files: 127.0.0.1\nrpz:\n  - {zone: z.example, lists: [a], key: none, allow: [127.0.0.1]}\n")
	assert.ErrorContains(t, err, "write an address like")
}

// readText reads settings.
func readText(t *testing.T, dir, text string) (*config.Settings, error) {
	t.Helper()
	return config.Read(writeFile(t, dir, "dnsfilter.yaml", text))
}
