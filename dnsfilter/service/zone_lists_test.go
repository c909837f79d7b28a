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

	"github.com/argine-dns/argine/dnsfilter"
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

	for _, bad := range []string{"<html>\n", "other.example. SOA localhost. nobody.invalid. 7 3600 600 86400 60\n", apex} {
		before := strings.Count(r.log.String(), "a changed policy zone was not taken in")
		r.write(t, "zone.db", bad)
		require.Eventually(t, func() bool { return strings.Count(r.log.String(), "a changed policy zone was not taken in") > before },
			10*time.Second, 10*time.Millisecond, "%q: %s", bad, r.log)
		assert.Equal(t, dns.RcodeNameError, r.rcode(t, "c.test."))
		l = status()
		assert.True(t, l.Stale)
		assert.Contains(t, l.Error, "loading list feed")
		assert.Equal(t, uint64(1), l.Entries)
	}
	assert.Contains(t, status().Error, "it has 0 rules")
	r.reload <- struct{}{}
	r.becomes(t, "c.test.", dns.RcodeSuccess)
	assert.False(t, status().Stale)
}

func TestPolicyZoneThatCollapses(t *testing.T) {
	t.Parallel()
	r := newFolder(t, "lists:\n  - {name: feed, rpz: feed.example, file: zone.db}\n")
	var text strings.Builder
	for i := range 200 {
		fmt.Fprintf(&text, "a%d.test CNAME .\n", i)
	}
	r.write(t, "zone.db", apex+text.String())
	r.start(t)
	r.write(t, "zone.db", apex+text.String()[:text.Len()/3])
	require.Eventually(t, func() bool { return strings.Contains(r.log.String(), "if that is meant, run dnsfilter reload") }, 10*time.Second, 10*time.Millisecond, r.log)
	assert.Equal(t, dns.RcodeNameError, r.rcode(t, "a199.test."))
	r.write(t, "zone.db", apex+text.String()[:2*text.Len()/3])
	r.becomes(t, "a199.test.", dns.RcodeSuccess)
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
