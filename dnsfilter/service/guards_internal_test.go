package service

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/config"
)

// A list that diverts has a guard that counts its url entries for their hosts.
func TestGuardsOfLists(t *testing.T) {
	t.Parallel()
	s := config.Default()
	g, err := guards{}.next(s)
	require.NoError(t, err)
	diverting := &config.List{Rule: dnsfilter.Rule{Divert: []netip.Addr{netip.MustParseAddr("192.0.2.90")}}}
	assert.True(t, g.of(diverting).Limits().Diverts)
	assert.False(t, g.of(&config.List{}).Limits().Diverts)
	again, err := g.next(s)
	require.NoError(t, err)
	assert.Same(t, g.of(diverting), again.of(diverting))
	assert.Same(t, g.of(&config.List{}), again.of(&config.List{}))
}
