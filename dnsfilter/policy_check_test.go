package dnsfilter_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

// newFilter makes a filter of a policy that makes sense.
func newFilter(t testing.TB, store *blocklist.Store, p dnsfilter.Policy) *dnsfilter.Filter {
	t.Helper()
	f, err := dnsfilter.NewFilter(store, p)
	require.NoError(t, err)
	return f
}

func TestPolicyCheck(t *testing.T) {
	t.Parallel()
	store := dnstest.NewStore(t, map[string]string{"l": "listed.test", "m": "listed.test"})
	addr := []netip.Addr{netip.MustParseAddr("192.0.2.80")}
	rule := func(r dnsfilter.Rule) dnsfilter.Policy { return dnsfilter.Policy{Rules: []dnsfilter.Rule{r}} }
	quorum := func(q dnsfilter.Quorum) dnsfilter.Policy { return dnsfilter.Policy{Quorums: []dnsfilter.Quorum{q}} }
	for label, p := range map[string]dnsfilter.Policy{
		"nothing":             {},
		"a rule":              rule(dnsfilter.Rule{List: "l", Action: dnsfilter.NXDomain}),
		"a list to come":      {Rules: []dnsfilter.Rule{{List: "typo", Action: dnsfilter.Drop}}, Later: []string{"typo"}},
		"a sinkhole":          rule(dnsfilter.Rule{List: "l", Action: dnsfilter.Sinkhole, Sinkhole: addr, Divert: addr}),
		"a quorum of a view":  {Views: []dnsfilter.View{{Quorums: []dnsfilter.Quorum{{Lists: []string{"l"}, AtLeast: 2}}}}},
		"an allow list":       {Allow: []string{"m"}},
		"a rule that is idle": rule(dnsfilter.Rule{List: "l"}),
	} {
		assert.NoError(t, p.Check(store), label)
	}
	for want, p := range map[string]dnsfilter.Policy{
		`no list "typo"; load it before, or name it in Later`: rule(dnsfilter.Rule{List: "typo", Action: dnsfilter.NXDomain}),
		`no list "allow"`:               {Allow: []string{"allow"}},
		`no list "n"`:                   quorum(dnsfilter.Quorum{Lists: []string{"l", "n"}, AtLeast: 1}),
		`no list "view"`:                {Views: []dnsfilter.View{{Allow: []string{"view"}}}},
		"needs AtLeast":                 quorum(dnsfilter.Quorum{Lists: []string{"l", "m"}}),
		"action 99 is none":             rule(dnsfilter.Rule{List: "l", Action: 99}),
		"to divert, name the proxy":     rule(dnsfilter.Rule{List: "l", Action: dnsfilter.Divert}),
		`action 77 of category "c"`:     rule(dnsfilter.Rule{List: "l", Categories: map[string]dnsfilter.Action{"c": 77}}),
		"reason 88 is none":             rule(dnsfilter.Rule{List: "l", Reason: 88}),
		"sinkhole needs addresses":      rule(dnsfilter.Rule{List: "l", Categories: map[string]dnsfilter.Action{"c": dnsfilter.Sinkhole}}),
		"an address is none":            rule(dnsfilter.Rule{List: "l", Divert: make([]netip.Addr, 1)}),
		`rule for "q": the action sink`: quorum(dnsfilter.Quorum{Rule: dnsfilter.Rule{List: "q", Action: dnsfilter.Sinkhole}, Lists: []string{"l"}, AtLeast: 1}),
	} {
		assert.ErrorContains(t, p.Check(store), want)
		assert.ErrorIs(t, p.Check(store), blocklist.ErrMalformed, want)
		_, err := dnsfilter.NewFilter(store, p)
		assert.ErrorContains(t, err, want)
		_, err = dnsfilter.New(dnsfilter.Config{Store: store, Policy: p, Upstream: dnstest.NewZone(t, dnstest.ZoneText)})
		assert.ErrorContains(t, err, want)
	}
	p := rule(dnsfilter.Rule{List: "l", Action: dnsfilter.NXDomain})
	assert.ErrorContains(t, p.Check(nil), `no list "l"`)
}

func TestPolicyUnused(t *testing.T) {
	t.Parallel()
	store := dnstest.NewStore(t, map[string]string{"allow": "a.test", "rule": "b.test", "quorum": "c.test", "view": "d.test", "forgotten": "e.test"})
	p := dnsfilter.Policy{
		Allow: []string{"allow"}, Rules: []dnsfilter.Rule{{List: "rule"}}, Quorums: []dnsfilter.Quorum{{Lists: []string{"quorum", "rule"}}},
		Views: []dnsfilter.View{{Rules: []dnsfilter.Rule{{List: "view"}}}},
	}
	assert.Equal(t, []string{"forgotten"}, p.Unused(store))
}
