package service_test

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/logtest"
	"github.com/argine-dns/argine/dnsfilter/service"
)

// apex is the beginning of the policy zones of the tests.
const apex = "@ SOA localhost. nobody.invalid. 7 3600 600 86400 60\n"

func TestPolicyZoneOfAFile(t *testing.T) {
	t.Parallel()
	r := newFolder(t, "lists:\n  - {name: feed, rpz: feed.example, file: zone.db}\n")
	r.write(t, "zone.db", apex+"a.test CNAME .\nb.test CNAME rpz-wrong.\n32.1.2.0.192.rpz-ip CNAME *.\n")
	r.start(t)
	assert.Equal(t, dns.RcodeNameError, r.rcode(t, "a.test."))
	status := func() service.ListStatus {
		s, err := r.control().Status(t.Context())
		require.NoError(t, err)
		require.Len(t, s.Lists, 1)
		return s.Lists[0]
	}
	l := status()
	assert.Equal(t, "feed.example", l.RPZ)
	assert.Equal(t, "as the zone says", l.Action)
	assert.Equal(t, uint32(7), l.ZoneSerial)
	assert.Equal(t, uint64(2), l.Entries)
	assert.Equal(t, map[string]int{"qname": 1, "ip": 1}, l.Triggers)
	assert.Equal(t, []service.SkippedLines{{Reason: "unknown action", Count: 1, Lines: []int{3}}}, l.Skipped)

	r.write(t, "zone.db", apex+"c.test CNAME .\n")
	r.becomes(t, "c.test.", dns.RcodeNameError)
	assert.Equal(t, dns.RcodeSuccess, r.rcode(t, "a.test."))

	for _, bad := range []string{"<html>\n", "other.example. SOA localhost. nobody.invalid. 7 3600 600 86400 60\n"} {
		before := strings.Count(r.log.String(), "a changed policy zone was not taken in")
		r.write(t, "zone.db", bad)
		require.Eventually(t, func() bool { return strings.Count(r.log.String(), "a changed policy zone was not taken in") > before },
			time.Minute, 10*time.Millisecond, "%q: %s", bad, r.log)
		assert.Equal(t, dns.RcodeNameError, r.rcode(t, "c.test."))
		l = status()
		assert.True(t, l.Stale)
		assert.Contains(t, l.Error, "loading list feed")
		assert.Equal(t, uint64(1), l.Entries)
	}
	r.write(t, "zone.db", apex)
	id := r.holds(t, "feed", string(guard.CheckEmpty)).ID
	assert.Equal(t, dns.RcodeNameError, r.rcode(t, "c.test."))
	require.NoError(t, r.control().Accept(t.Context(), "feed", id))
	assert.Equal(t, dns.RcodeSuccess, r.rcode(t, "c.test."))
	l = status()
	assert.False(t, l.Stale)
	assert.Nil(t, l.Hold)
}

// TestPolicyZoneOnHold has the guards hold what would take away most of a zone, or lists too much, over restarts.
func TestPolicyZoneOnHold(t *testing.T) {
	t.Parallel()
	r := newFolder(t, "guard: {popular: [top.csv]}\nlists:\n  - {name: feed, rpz: feed.example, file: zone.db}\n")
	r.write(t, "top.csv", "1,popular.example\n")
	var text strings.Builder
	text.WriteString(apex)
	for i := range 200 {
		fmt.Fprintf(&text, "a%d.test CNAME .\n", i)
	}
	all := text.String()
	r.write(t, "zone.db", all)
	r.start(t)
	require.Equal(t, dns.RcodeNameError, r.rcode(t, "a199.test."))

	r.write(t, "zone.db", all[:len(all)/3])
	shrunk := r.holds(t, "feed", string(guard.CheckShrink)).ID
	assert.Equal(t, dns.RcodeNameError, r.rcode(t, "a199.test."))
	assert.Contains(t, r.log.String(), "the guards hold a changed file, the list before it stays in force")
	r.restart(t)
	assert.Equal(t, dns.RcodeNameError, r.rcode(t, "a199.test."), "the zone before is in force at once")
	assert.Equal(t, shrunk, r.holds(t, "feed", string(guard.CheckShrink)).ID)
	assert.ErrorContains(t, r.control().Accept(t.Context(), "feed", "other"), "other")
	require.NoError(t, r.control().Reject(t.Context(), "feed", shrunk))
	assert.True(t, r.list(t, "feed").Hold.Rejected)
	r.write(t, "zone.db", all)
	require.Eventually(t, func() bool { return r.list(t, "feed").Hold == nil }, time.Minute, 10*time.Millisecond)

	require.NoError(t, r.stop())
	r.write(t, "zone.db", apex) // while no one looks
	r.log = &logtest.Buffer{}
	r.start(t)
	assert.Equal(t, dns.RcodeNameError, r.rcode(t, "a199.test."))
	r.holds(t, "feed", string(guard.CheckEmpty))

	for lines, check := range map[string]guard.Check{
		"popular.example CNAME .\n": guard.CheckPopular, "*.co.uk A 192.0.2.1\n": guard.CheckSuffix, "com CNAME rpz-drop.\n": guard.CheckLabel, "* CNAME *.\n": guard.CheckRoot,
		"0.0.0.0.0.rpz-ip CNAME .\n": guard.CheckWide, "*.com.rpz-nsdname CNAME .\n": guard.CheckLabel, "4.0.0.0.16.rpz-nsip CNAME .\n": guard.CheckWide,
	} {
		r.write(t, "zone.db", all+lines)
		id := r.holds(t, "feed", string(check)).ID
		assert.Equal(t, dns.RcodeSuccess, r.rcode(t, "popular.example."), lines)
		if check == guard.CheckPopular {
			require.NoError(t, r.control().Accept(t.Context(), "feed", id))
			assert.Equal(t, dns.RcodeNameError, r.rcode(t, "popular.example."))
			r.write(t, "zone.db", all)
			r.becomes(t, "popular.example.", dns.RcodeSuccess)
		}
	}
	r.write(t, "zone.db", all+"popular.example CNAME rpz-passthru.\n8.0.0.0.10.rpz-client-ip CNAME rpz-drop.\n*.co.uk CNAME rpz-tcp-only.\n")
	require.Eventually(t, func() bool { return r.list(t, "feed").Hold == nil }, time.Minute, 10*time.Millisecond)
}

// TestFirstPolicyZoneOnHold has a zone that trips the guards, and none before it.
func TestFirstPolicyZoneOnHold(t *testing.T) {
	t.Parallel()
	r := newFolder(t, "lists:\n  - {name: feed, rpz: feed.example, file: zone.db}\n  - {name: other, rpz: other.example, file: other.db}\n")
	r.write(t, "zone.db", apex+"*.com CNAME .\n")
	r.write(t, "other.db", apex)
	r.start(t)
	id := r.holds(t, "feed", string(guard.CheckLabel)).ID
	assert.Equal(t, dns.RcodeSuccess, r.rcode(t, "a.com."))
	r.write(t, "other.db", apex+"a.test CNAME .\n")
	r.becomes(t, "a.test.", dns.RcodeNameError)
	assert.Equal(t, 1, strings.Count(r.log.String(), "the guards hold a list, which is NOT ENFORCED"), "it is read once")
	s, err := r.read()
	require.NoError(t, err)
	checks, err := service.ReadFiles(s)
	require.NoError(t, err)
	require.NotNil(t, checks[0].Held)
	e, err := service.Explain(s, "a.com", netip.Addr{}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	assert.Equal(t, dnsfilter.Pass, e.Action, "what is on hold does not decide")
	require.NoError(t, r.control().Accept(t.Context(), "feed", id))
	assert.Equal(t, dns.RcodeNameError, r.rcode(t, "a.com."))
	r.restart(t)
	assert.Equal(t, dns.RcodeNameError, r.rcode(t, "a.com."))
	assert.Nil(t, r.list(t, "feed").Hold)

	r.settings(t, "lists:\n  - {name: feed, rpz: feed.example, file: zone.db, guard: off}\n  - {name: other, rpz: other.example, file: other.db}\n")
	r.write(t, "zone.db", apex+"*.com CNAME .\n*.net CNAME .\n")
	r.becomes(t, "a.net.", dns.RcodeNameError)
}

func TestPolicyZoneExplained(t *testing.T) {
	t.Parallel()
	r := newFolder(t, "lists:\n  - {name: first, rpz: a.example, file: a.db}\n  - {name: second, rpz: b.example, file: b.db, action: refused}\n  - {name: own, file: own.txt}\n")
	r.write(t, "a.db", apex+"*.pass.test CNAME rpz-passthru.\n24.0.2.0.192.rpz-ip CNAME .\n48.zz.7.db8.2001.rpz-client-ip CNAME *.\n")
	r.write(t, "b.db", apex+"b.test CNAME .\nx.pass.test CNAME .\n")
	r.write(t, "own.txt", "b.test\nown.test\nx.pass.test\n")
	s, err := r.read()
	require.NoError(t, err)
	for asked, want := range map[string]string{
		"b.test": "nxdomain", "x.pass.test": "nxdomain", "y.pass.test": "pass qname *.pass.test", "own.test": "nxdomain", "192.0.2.9": "nxdomain ip 24.0.2.0.192.rpz-ip",
		"b.test @2001:db8:7::1": "nodata client-ip 48.zz.7.db8.2001.rpz-client-ip", "other.test": "pass",
	} {
		target, client, _ := strings.Cut(asked, " @")
		var from netip.Addr
		if client != "" {
			from = netip.MustParseAddr(client)
			s.Clients = []netip.Prefix{netip.MustParsePrefix("::/0")}
		}
		e, err := service.Explain(s, target, from, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		got := e.Action.String()
		if trigger, owner, ok := e.Trigger(); ok {
			got += " " + trigger.String() + " " + owner
		}
		assert.Equal(t, want, got, asked)
	}
	r.write(t, "a.db", "")
	s, err = r.read()
	require.NoError(t, err)
	e, err := service.Explain(s, "other.test", netip.Addr{}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	assert.True(t, e.Unsure())
	assert.Equal(t, []string{"first"}, e.Missing)
	assert.Equal(t, dnsfilter.Pass, e.Action)

	_, err = service.ReadFiles(s)
	require.ErrorContains(t, err, "there are no records of the zone in it")
	r.write(t, "a.db", apex+"a.test CNAME .\nx CNAME\n")
	checks, err := service.ReadFiles(s)
	require.NoError(t, err)
	require.Len(t, checks, 3)
	assert.Equal(t, map[string]int{"qname": 1}, checks[1].Triggers)
	assert.Equal(t, "not a record", checks[1].Skipped[0].Reason)
}
