package rpz_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/rpz"
	"github.com/argine-dns/argine/testdata/longtest"
)

func TestRecords(t *testing.T) {
	t.Parallel()
	l := newLists(t)
	l.allow = []string{"allow/a"}
	l.rules = []dnsfilter.Rule{
		{List: "first", Action: dnsfilter.NXDomain, Categories: map[string]dnsfilter.Action{"soft": dnsfilter.NoData, "off": dnsfilter.Pass}},
		{List: "second", Action: dnsfilter.Sinkhole, Sinkhole: []netip.Addr{netip.MustParseAddr("192.0.2.80"), netip.MustParseAddr("2001:db8::80")}},
		{List: "third", Action: dnsfilter.Drop},
	}
	l.set(t, "allow/a", "good.bad.example")
	l.set(t, "first", "bad.example", "=only.example", "soft.example category=soft", "off.example category=off",
		"https://page.example/x", "seen.example status=monitor", "192.0.2.0/24", "2001:db8::1", `\*.star.example`, "a.b.bad.example category=soft")
	l.set(t, "second", "sink.example", "below.bad.example")
	l.set(t, "third", "drop.example")
	s := l.start(t, t.TempDir(), rpz.Config{})
	want := []string{
		"24.0.2.0.192.rpz-ip CNAME *.", "128.1.zz.db8.2001.rpz-ip CNAME *.",
		"bad.example CNAME .", "*.bad.example CNAME .",
		"b.bad.example CNAME .", "*.b.bad.example CNAME .",
		"a.b.bad.example CNAME *.", "*.a.b.bad.example CNAME *.",
		"good.bad.example CNAME rpz-passthru.", "*.good.bad.example CNAME rpz-passthru.",
		"drop.example CNAME rpz-drop.", "*.drop.example CNAME rpz-drop.",
		"only.example CNAME *.",
		"sink.example A 192.0.2.80", "sink.example AAAA 2001:db8::80", "*.sink.example A 192.0.2.80", "*.sink.example AAAA 2001:db8::80",
		"soft.example CNAME *.", "*.soft.example CNAME *.",
	}
	assert.Equal(t, want, s.zone())
	status := s.Status()
	assert.Equal(t, map[string]uint64{"url": 1, "monitor": 1, "name": 1, "pass": 1}, status.Unsaid)
	assert.Equal(t, map[string]uint64{"allow/a": 1, "first": 6, "second": 2, "third": 1}, status.Lists)
	assert.Equal(t, len(want), int(status.Records))
	assert.Empty(t, status.Error)
}

// policyZone looks names up in the records of a policy zone by the rules of the DNS, wildcards included (RFC 4592).
type policyZone map[string]string

func newPolicyZone(records []string) policyZone {
	z := policyZone{}
	for _, r := range records {
		owner, data, _ := strings.Cut(r, " ")
		z[owner] = data
		for rest := owner; ; {
			_, parent, more := strings.Cut(rest, ".")
			if !more {
				break
			}
			if _, ok := z[parent]; !ok {
				z[parent] = "" // it exists
			}
			rest = parent
		}
	}
	return z
}

func (z policyZone) find(name string) string {
	if data, ok := z[name]; ok {
		return data
	}
	for rest := name; ; {
		_, parent, more := strings.Cut(rest, ".")
		if !more {
			return z["*"]
		}
		if _, ok := z[parent]; ok { // the closest encloser
			return z["*."+parent]
		}
		rest = parent
	}
}

var sayings = map[dnsfilter.Action]string{
	dnsfilter.NXDomain: "CNAME .", dnsfilter.NoData: "CNAME *.", dnsfilter.Drop: "CNAME rpz-drop.", dnsfilter.Sinkhole: "A 192.0.2.80",
}

// TestVerdicts: what a zone says of a name is what the resolver decides, for random lists whose entries cover one another.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	var names []string
	for _, a := range []string{"x", "y"} {
		for _, b := range []string{"x", "y"} {
			for _, c := range []string{"x", "y"} {
				for _, d := range []string{"x", "y"} {
					names = append(names, d+"."+c+"."+b+"."+a, c+"."+b+"."+a, b+"."+a)
				}
			}
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	actions := []dnsfilter.Action{dnsfilter.NXDomain, dnsfilter.NoData, dnsfilter.Drop}
	l := newLists(t)
	l.allow = []string{"allow/a"}
	for i := range 3 {
		l.rules = append(l.rules, dnsfilter.Rule{
			List: fmt.Sprintf("list%d", 9*i+1), Action: actions[i],
			Categories: map[string]dnsfilter.Action{"sink": dnsfilter.Sinkhole, "off": dnsfilter.Pass, "seen": dnsfilter.Monitor},
			Sinkhole:   []netip.Addr{netip.MustParseAddr("192.0.2.80")},
		})
	}
	random := rand.New(rand.NewPCG(1, 2))
	lines := func(most int) (all []string) {
		for range random.IntN(most) {
			line := names[random.IntN(len(names))]
			line = []string{"", "="}[random.IntN(2)] + line + []string{"", "", " category=sink", " category=off", " category=seen", " status=monitor"}[random.IntN(6)]
			all = append(all, line)
		}
		slices.Sort(all)
		return slices.CompactFunc(all, func(a, b string) bool { return strings.Fields(a)[0] == strings.Fields(b)[0] })
	}
	renew := func() {
		l.set(t, "allow/a", lines(3)...)
		for i := range 3 {
			l.set(t, fmt.Sprintf("list%d", 9*i+1), lines(6)...)
		}
	}
	renew()
	s := l.start(t, t.TempDir(), rpz.Config{})
	policy := l.policy()
	for range longtest.Rounds(25, 1000) {
		records := s.zone()
		seen := slices.Clone(records)
		slices.Sort(seen)
		assert.Len(t, slices.Compact(seen), len(records), "a record twice")
		z := newPolicyZone(records)
		for _, deep := range []string{"", "n.", "n.n.", "n.n.n."} {
			for _, name := range names {
				wire, err := blocklist.ParseName(deep + name)
				require.NoError(t, err)
				d := policy.Decide(l.store, []byte(wire))
				want := ""
				switch {
				case d.Allows():
					want = "CNAME rpz-passthru."
				case d.Blocks():
					want = sayings[d.Action]
				}
				if got := z.find(deep + name); got != want && (want != "CNAME rpz-passthru." || got != "") {
					t.Fatalf("%s: the zone says %q, the resolver %q\n%s\n%v", deep+name, got, want, strings.Join(records, "\n"), l.lines)
				}
			}
		}
		renew()
		s.awaitLists()
	}
}

func TestSerialAndChanges(t *testing.T) {
	t.Parallel()
	l := newLists(t)
	l.rules = []dnsfilter.Rule{{List: "l", Action: dnsfilter.NXDomain}}
	l.set(t, "l", "a.example", "b.example")
	dir := t.TempDir()
	s := l.start(t, dir, rpz.Config{})
	first := s.Status().Serial
	l.set(t, "l", "a.example", "c.example")
	second := s.awaitSerial(first)
	assert.Positive(t, int32(second-first))
	changes, err := s.transfer(first, false)
	require.NoError(t, err)
	var got []string
	for _, rr := range changes {
		if soa, ok := rr.(*dns.SOA); ok {
			got = append(got, fmt.Sprint(map[uint32]string{first: "first", second: "second"}[soa.Serial]))
			continue
		}
		got = append(got, texts([]dns.RR{rr})...)
	}
	assert.Equal(t, []string{
		"second", "first", "b.example CNAME .", "*.b.example CNAME .",
		"second", "c.example CNAME .", "*.c.example CNAME .", "second",
	}, got)
	changes, err = s.transfer(second, false)
	require.NoError(t, err)
	assert.Len(t, changes, 1, "nothing is new")
	changes, err = s.transfer(first-100, false)
	require.NoError(t, err)
	assert.Equal(t, s.zone(), texts(changes), "an unknown serial gets the whole zone")

	s.stop()
	s = l.start(t, dir, rpz.Config{})
	assert.Equal(t, second, s.Status().Serial, "a restart changes nothing")
	changes, err = s.transfer(first, false)
	require.NoError(t, err)
	assert.Len(t, changes, 8, "the journal survives a restart")
}
