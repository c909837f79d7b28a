package dnsfilter_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

func decide(t testing.TB, p dnsfilter.Policy, store *blocklist.Store, name string) dnsfilter.Decision {
	t.Helper()
	n, err := blocklist.ParseName(name)
	require.NoError(t, err)
	return p.Decide(store, []byte(n))
}

func TestDecide(t *testing.T) {
	t.Parallel()
	store := dnstest.NewStore(t, map[string]string{
		"first":   "both.test\nwatched.test status=monitor\nallowed.test\n=host.test",
		"second":  "both.test\nwatched.test category=b\nonly.test category=c ref=r",
		"watch":   "both.test\nonly.test\nseen.test",
		"allow/a": "allowed.test\n=www.only.test\nsoft.test status=monitor",
		"unused":  "unused.test\nboth.test",
		"idle":    "idle.test",
		"soft":    "soft.test",
	})
	p := dnsfilter.Policy{Allow: []string{"allow/a", "allow/absent"}, Rules: []dnsfilter.Rule{
		{List: "watch", Action: dnsfilter.Monitor},
		{List: "idle"},
		{List: "first", Action: dnsfilter.NXDomain},
		{List: "second", Action: dnsfilter.Refused},
		{List: "soft", Action: dnsfilter.Drop},
		{List: "absent", Action: dnsfilter.Drop},
	}}
	for _, c := range []struct {
		name, action, list, entry string
	}{
		{"both.test", "nxdomain", "first", "both.test"},
		{"x.y.both.test", "nxdomain", "first", "both.test"},
		{"only.test", "refused", "second", "only.test"},
		{"www.only.test", "pass", "allow/a", "=www.only.test"},
		{"a.www.only.test", "refused", "second", "only.test"},
		{"allowed.test", "pass", "allow/a", "allowed.test"},
		{"deep.allowed.test", "pass", "allow/a", "allowed.test"},
		{"watched.test", "refused", "second", "watched.test"},
		{"seen.test", "monitor", "watch", "seen.test"},
		{"host.test", "nodata", "first", "=host.test"},
		{"x.host.test", "pass", "", ""},
		{"unused.test", "pass", "", ""},
		{"idle.test", "pass", "", ""},
		{"soft.test", "drop", "soft", "soft.test"},
		{"neighbour.test", "pass", "", ""},
		{"test", "pass", "", ""},
		{".", "pass", "", ""},
	} {
		d := decide(t, p, store, c.name)
		entry := ""
		if d.Match.List != "" {
			entry = d.Match.Entry()
		}
		assert.Equal(t, []string{c.action, c.list, c.entry}, []string{d.Action.String(), d.Match.List, entry}, c.name)
	}
	assert.Equal(t, "c", decide(t, p, store, "only.test").Match.Category)
}

func TestDecideDoesNotAllocate(t *testing.T) {
	store := dnstest.NewStore(t, map[string]string{"l": "example.com"})
	p := dnsfilter.Policy{Rules: []dnsfilter.Rule{{List: "l", Action: dnsfilter.NXDomain}}}
	for _, text := range []string{"www.example.com", "a.b.c.example.org"} {
		name, err := blocklist.ParseName(text)
		require.NoError(t, err)
		wire := []byte(name)
		assert.Zero(t, testing.AllocsPerRun(100, func() { p.Decide(store, wire) }), text)
	}
}

func TestWordsOfThePolicy(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"nxdomain", "nodata", "refused", "drop", "sinkhole", "monitor"} {
		a, err := dnsfilter.ParseAction(word)
		require.NoError(t, err)
		assert.Equal(t, word, a.String())
	}
	for _, word := range []string{"", "pass", "NXDOMAIN", "block"} {
		_, err := dnsfilter.ParseAction(word)
		assert.ErrorContains(t, err, "there are nxdomain", word)
	}
	for _, word := range []string{"blocked", "censored", "filtered", "none"} {
		r, err := dnsfilter.ParseReason(word)
		require.NoError(t, err)
		assert.Equal(t, word, r.String())
	}
	_, err := dnsfilter.ParseReason("forged")
	assert.ErrorContains(t, err, "there are censored")
	assert.Equal(t, "invalid", dnsfilter.Action(99).String())
	assert.Equal(t, "invalid", dnsfilter.Reason(99).String())
}
