package config_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter"
)

func TestZoneLists(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := readText(t, dir, "lists:\n  - {name: a, rpz: a.example, file: a.db, guard: off}\n  - {name: b, rpz: b.example, file: b.db, action: sinkhole, sinkhole: [192.0.2.80], ttl: 60s}\n  - {name: c, file: c}\n")
	require.NoError(t, err)
	assert.Len(t, s.ZoneLists(), 2)
	assert.Len(t, s.LocalFiles(), 1)
	p := s.Policy()
	require.Len(t, p.Rules, 3)
	assert.Equal(t, dnsfilter.Pass, p.Rules[0].Action)
	assert.True(t, s.ZoneLists()[0].LocalFile().Unguarded)
	assert.Equal(t, "a.example", p.Rules[0].Zone.Name().String())
	assert.Equal(t, dnsfilter.Sinkhole, p.Rules[1].Action)
	assert.Equal(t, uint32(60), p.Rules[1].TTL)
	assert.Nil(t, p.Rules[2].Zone)
	require.ErrorContains(t, s.CheckFiles(), "a.db")
	for _, c := range []struct{ text, want string }{
		{"lists:\n  - {name: a, rpz: a.example, file: a, scope: host}\n", "scope is for lists of entries"},
		{"lists:\n  - {name: a, rpz: a.example, file: a, categories: {x: nodata}}\n", "categories is for lists of entries"},
		{"lists:\n  - {name: a, rpz: a.example, file: a}\n  - {name: b, file: b}\nquorum: [{lists: [a, b], at_least: 2}]\n", "which can't be in a quorum"},
		{"state: s\nlists:\n  - {name: a, rpz: a.example, file: a}\nrpz: [{zone: z.example, lists: [a], key: none, allow: [127.0.0.1/32]}]\n", "is a policy zone itself"},
	} {
		_, err := readText(t, t.TempDir(), c.text)
		assert.ErrorContains(t, err, c.want, c.text)
	}
}
