package dnsfilter_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/blocktest"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

// scripted is an upstream that gives one answer to everything.
type scripted struct{ answer, extra []string }

func (s scripted) Exchange(_ context.Context, q *dns.Msg) (*dns.Msg, error) {
	reply := new(dns.Msg).SetReply(q)
	for _, text := range s.answer {
		rr, err := dns.NewRR(text)
		if err != nil {
			return nil, err
		}
		reply.Answer = append(reply.Answer, rr)
	}
	for _, text := range s.extra {
		rr, err := dns.NewRR(text)
		if err != nil {
			return nil, err
		}
		reply.Extra = append(reply.Extra, rr)
	}
	return reply, nil
}

func TestWhatAnAnswerLeadsTo(t *testing.T) {
	t.Parallel()
	const asked = "www.asked.test."
	store := dnstest.NewStore(t, map[string]string{
		"deny":  "listed.test\n=only.host.test\n192.0.2.66\n2001:db8:66::/48\nbad.allowed.test",
		"watch": "watched.test",
		"allow": "allowed.test\n=www.vouched.test",
	})
	policy := dnsfilter.Policy{Allow: []string{"allow"}, Rules: []dnsfilter.Rule{
		{List: "deny", Action: dnsfilter.NXDomain, Reason: dnsfilter.Censored}, {List: "watch", Action: dnsfilter.Monitor},
	}}
	for _, c := range []struct {
		label  string
		qtype  uint16
		name   string
		answer []string
		extra  []string
		want   string // list and action of the last decision by a list; empty: none
	}{
		{"nothing listed", dns.TypeA, asked, []string{asked + " CNAME a.test.", "a.test. A 192.0.2.1"}, nil, ""},
		{"a CNAME", dns.TypeA, asked, []string{asked + " CNAME x.Listed.test.", "x.listed.test. A 192.0.2.1"}, nil, "nxdomain"},
		{"a CNAME asked for", dns.TypeCNAME, asked, []string{asked + " CNAME listed.test."}, nil, ""}, // as other types show it
		{"a CNAME of a listed host asked for", dns.TypeCNAME, asked, []string{asked + " CNAME only.host.test."}, nil, "nodata"},
		{"the end of a chain", dns.TypeAAAA, asked, []string{
			asked + " CNAME a.test.", "a.test. CNAME b.a.test.", "b.a.test. CNAME listed.test.",
		}, nil, "nxdomain"},
		{"a chain out of order", dns.TypeA, asked, []string{
			"a.test. CNAME listed.test.", asked + " CNAME a.test.",
		}, nil, "nxdomain"},
		{"a chain out of order with its end", dns.TypeA, asked, []string{
			"b.test. A 192.0.2.1", asked + " CNAME listed.test.", "listed.test. CNAME b.test.",
		}, nil, "nxdomain"},
		{"a listed host", dns.TypeA, asked, []string{asked + " CNAME only.host.test."}, nil, "nodata"},
		{"below a listed host", dns.TypeA, asked, []string{asked + " CNAME x.only.host.test."}, nil, ""},
		{"a DNAME", dns.TypeA, asked, []string{"asked.test. DNAME sub.listed.test."}, nil, "nxdomain"},
		{"a DNAME and its CNAME", dns.TypeA, asked, []string{"asked.test. DNAME listed.test.", asked + " CNAME www.listed.test."}, nil, "nxdomain"},
		{"a DNAME that is not the end", dns.TypeA, asked, []string{
			"asked.test. DNAME a.test.", asked + " CNAME www.a.test.", "www.a.test. CNAME b.test.", "b.test. CNAME listed.test.",
		}, nil, "nxdomain"},
		{"a DNAME behind a CNAME", dns.TypeA, asked, []string{asked + " CNAME x.a.test.", "a.test. DNAME listed.test."}, nil, "nxdomain"},
		{"a DNAME asked for", dns.TypeDNAME, "asked.test.", []string{"asked.test. DNAME listed.test."}, nil, "nodata"},
		{"a DNAME that makes a listed host", dns.TypeA, "only.asked.test.", []string{"asked.test. DNAME host.test."}, nil, "nodata"},
		{"a DNAME of another name", dns.TypeA, asked, []string{"xasked.test. DNAME listed.test."}, nil, ""},
		{"an address", dns.TypeA, asked, []string{asked + " A 192.0.2.1", asked + " A 192.0.2.66"}, nil, "nodata"},
		{"an address of a range", dns.TypeAAAA, asked, []string{asked + " AAAA 2001:db8:66::1"}, nil, "nodata"},
		{"an address behind an alias", dns.TypeA, asked, []string{asked + " CNAME a.test.", "a.test. A 192.0.2.66"}, nil, "nodata"},
		{"an IPv4 address in an IPv6 one", dns.TypeAAAA, asked, []string{asked + " AAAA 64:ff9b::192.0.2.66"}, nil, "nodata"},
		{"a service's target", dns.TypeHTTPS, asked, []string{asked + " HTTPS 1 x.listed.test. alpn=h2"}, nil, "nodata"},
		{"the target of an alias' service", dns.TypeHTTPS, asked, []string{asked + " CNAME a.test.", "a.test. HTTPS 1 listed.test."}, nil, "nodata"},
		{"a chain that comes with a service", dns.TypeHTTPS, asked, []string{asked + " CNAME a.test."}, []string{"a.test. CNAME listed.test."}, ""},
		{"a service's alias", dns.TypeSVCB, asked, []string{asked + " SVCB 0 listed.test."}, nil, "nodata"},
		{"an IPv4 hint", dns.TypeHTTPS, asked, []string{asked + " HTTPS 1 . alpn=h2 ipv4hint=192.0.2.1,192.0.2.66"}, nil, "nodata"},
		{"an IPv6 hint", dns.TypeHTTPS, asked, []string{asked + " HTTPS 1 . alpn=h2 ipv6hint=2001:db8:66::9"}, nil, "nodata"},
		{"harmless hints", dns.TypeHTTPS, asked, []string{asked + " HTTPS 1 . alpn=h2 ipv4hint=192.0.2.1 ipv6hint=2001:db8::1"}, nil, ""},
		{"addresses that come with a service", dns.TypeHTTPS, asked, []string{asked + " HTTPS 1 a.test."}, []string{"a.test. A 192.0.2.66"}, ""},
		{"addresses that come with a mail host", dns.TypeMX, asked, []string{asked + " MX 1 a.test."}, []string{"a.test. A 192.0.2.66"}, ""},
		{"a mail host", dns.TypeMX, asked, []string{asked + " MX 1 listed.test."}, nil, ""},
		{"a monitored name", dns.TypeA, asked, []string{asked + " CNAME watched.test.", "watched.test. A 192.0.2.1"}, nil, "monitor"},
		{"an allowed question", dns.TypeA, "www.vouched.test.", []string{"www.vouched.test. CNAME listed.test.", "listed.test. A 192.0.2.66"}, nil, "pass"},
		{"an allowed name of the chain", dns.TypeA, asked, []string{
			asked + " CNAME www.allowed.test.", "www.allowed.test. CNAME listed.test.", "listed.test. A 192.0.2.66",
		}, nil, "pass"},
		{"an allowed name beside the chain", dns.TypeA, asked, []string{
			"a.test. CNAME www.allowed.test.", asked + " CNAME listed.test.",
		}, nil, "nxdomain"},
		{"a service whose target is allowed", dns.TypeHTTPS, asked, []string{asked + " HTTPS 1 www.allowed.test. ipv4hint=192.0.2.66"}, nil, "nodata"},
	} {
		s := dnstest.NewServer(t, dnsfilter.Config{Store: store, Policy: policy, Upstream: scripted{c.answer, c.extra}})
		filter := newFilter(t, store, policy)
		for _, h := range []dns.Handler{ // from the upstream, from the cache; within another server that writes messages, or bytes
			s, s, filter.Handler(handler{scripted{c.answer, c.extra}, false}), filter.Handler(handler{scripted{c.answer, c.extra}, true}),
		} {
			reply := ask(t, h, "udp", dnstest.Question(c.name, c.qtype).SetEdns0(1232, false))
			if blocked := c.want == "nxdomain" || c.want == "nodata"; !blocked {
				assert.Equal(t, dns.RcodeSuccess, reply.Rcode, c.label)
				assert.Equal(t, c.label != "a DNAME of another name", len(reply.Answer) == len(c.answer), c.label)
				for _, rr := range reply.Extra {
					assert.Equal(t, dns.TypeOPT, rr.Header().Rrtype, c.label)
				}
				assert.Empty(t, dnstest.EDEs(reply), c.label)
				continue
			}
			assert.Equal(t, c.want == "nxdomain", reply.Rcode == dns.RcodeNameError, c.label)
			require.Len(t, reply.Ns, 1, c.label)
			checkChain(t, reply, c.answer, c.label)
			assert.Equal(t, []uint16{16}, dnstest.EDEs(reply), c.label)
		}
		if c.label != "a DNAME of another name" { // an answer without records is not kept
			assert.EqualValues(t, 1, s.Stats().Hits, c.label)
		}
		seen := map[string]bool{}
		for _, actions := range s.Stats().Lists {
			for action := range actions {
				seen[action.String()] = true
			}
		}
		if c.want == "" {
			assert.Empty(t, seen, c.label)
		} else {
			assert.True(t, seen[c.want], c.label, seen)
		}
	}
}

// checkChain checks that an answer denies the end of the chain that it shows, nothing that is not listed, and no name
// that would exist by what it says.
func checkChain(t *testing.T, reply *dns.Msg, answer []string, label string) {
	t.Helper()
	denied := reply.Question[0].Name
	for _, rr := range reply.Answer {
		if alias, ok := rr.(*dns.CNAME); ok {
			assert.Equal(t, dns.CanonicalName(denied), dns.CanonicalName(alias.Hdr.Name), label)
			denied = alias.Target
			continue
		}
		made, err := dns.NewRR(answer[0])
		require.NoError(t, err)
		assert.Equal(t, dns.TypeDNAME, rr.Header().Rrtype, "%s: %s of %s", label, rr, made)
	}
	above := reply.Ns[0].Header().Name
	assert.True(t, dns.IsSubDomain(above, denied) && dns.CountLabel(above) < dns.CountLabel(denied), "%s: %s", label, above)
	if reply.Rcode == dns.RcodeNameError {
		assert.True(t, dns.IsSubDomain("listed.test.", dns.CanonicalName(denied)), label)
		assert.Equal(t, "test.", above, label)
	} else {
		assert.Empty(t, reply.Answer, label)
	}
}

// orders returns all orders of some texts.
func orders(texts []string) (all [][]string) {
	if len(texts) < 2 {
		return [][]string{texts}
	}
	for i := range texts {
		rest := slices.Delete(slices.Clone(texts), i, i+1)
		for _, o := range orders(rest) {
			all = append(all, append([]string{texts[i]}, o...))
		}
	}
	return all
}

// TestTheOrderOfRecordsDecidesNothing gives the records of an answer in each of their orders (RFC 1034, section 3.6).
func TestTheOrderOfRecordsDecidesNothing(t *testing.T) {
	t.Parallel()
	const asked = "www.asked.test."
	policy := dnsfilter.Policy{Allow: []string{"allow"}, Rules: []dnsfilter.Rule{{List: "deny", Action: dnsfilter.NXDomain}}}
	for _, c := range []struct {
		deny, allow string
		answer      []string
		rcode       int
		want        []string // what the answer says, in short
	}{
		{"end.test", "mid.test", []string{asked + " CNAME mid.test.", "mid.test. CNAME end.test.", "end.test. A 192.0.2.1"}, 0, []string{"mid.test.", "end.test.", "192.0.2.1"}},
		{"192.0.2.1", "mid.test", []string{asked + " CNAME mid.test.", "mid.test. CNAME end.test.", "end.test. A 192.0.2.1"}, 0, []string{"mid.test.", "end.test.", "192.0.2.1"}},
		{"192.0.2.1", "end.test", []string{asked + " CNAME mid.test.", "mid.test. CNAME end.test.", "end.test. A 192.0.2.1"}, 0, []string{"mid.test.", "end.test.", "192.0.2.1"}},
		{"192.0.2.1", "none.test", []string{asked + " CNAME mid.test.", "mid.test. CNAME end.test.", "end.test. A 192.0.2.1"}, 0, nil},
		{"end.test", "none.test", []string{asked + " CNAME mid.test.", "mid.test. CNAME end.test.", "end.test. A 192.0.2.1"}, 3, []string{"mid.test.", "end.test."}},
		{"mid.test", "end.test", []string{asked + " CNAME mid.test.", "mid.test. CNAME end.test.", "end.test. A 192.0.2.1"}, 3, []string{"mid.test."}},
		{"192.0.2.1", "www.to.test", []string{"asked.test. DNAME to.test.", asked + " CNAME www.to.test.", "www.to.test. A 192.0.2.1"}, 0, []string{"to.test.", "www.to.test.", "192.0.2.1"}},
		{"to.test", "none.test", []string{"asked.test. DNAME to.test.", asked + " CNAME www.to.test.", "www.to.test. A 192.0.2.1"}, 3, []string{"to.test.", "www.to.test."}},
		{"192.0.2.1", "www.to.test", []string{"asked.test. DNAME to.test.", "www.to.test. A 192.0.2.1"}, 0, []string{"to.test.", "www.to.test.", "192.0.2.1"}},
		{"192.0.2.1", "none.test", []string{"asked.test. DNAME to.test.", "www.to.test. A 192.0.2.1"}, 0, nil},
		{"192.0.2.1", "none.test", []string{asked + " A 192.0.2.2", "other.test. A 192.0.2.1"}, 0, []string{"192.0.2.2"}},
	} {
		store := dnstest.NewStore(t, map[string]string{"deny": c.deny, "allow": c.allow})
		for _, answer := range orders(c.answer) {
			up := scripted{answer: answer}
			filter := newFilter(t, store, policy)
			s := dnstest.NewServer(t, dnsfilter.Config{Store: store, Policy: policy, Upstream: up})
			for _, h := range []dns.Handler{s, s, filter.Handler(handler{up, false}), filter.Handler(handler{up, true})} {
				reply := ask(t, h, "udp", dnstest.Question(asked, dns.TypeA))
				var got []string
				for _, rr := range reply.Answer {
					fields := strings.Fields(rr.String())
					got = append(got, fields[len(fields)-1])
				}
				assert.Equal(t, c.rcode, reply.Rcode, "%s: %s", c.deny, answer)
				assert.Equal(t, c.want, got, "%s: %s", c.deny, answer)
			}
		}
	}
}

// TestTheFirstRuleOfAnAnswerDecides has one RRset, or one list of hints, lead to addresses of lists that do different
// things: in any order, the action is that of the rule or quorum that comes first in the policy, and it alone is
// counted.
func TestTheFirstRuleOfAnAnswerDecides(t *testing.T) {
	t.Parallel()
	const asked = "www.asked.test."
	store := dnstest.NewStore(t, map[string]string{
		"refused": "192.0.2.1\n2001:db8::1\nrefused.test", "nodata": "192.0.2.2\n2001:db8::2", "watch": "192.0.2.3\n2001:db8::3", "agreed": "192.0.2.4\n2001:db8::4",
	})
	refused, nodata := dnsfilter.Rule{List: "refused", Action: dnsfilter.Refused}, dnsfilter.Rule{List: "nodata", Action: dnsfilter.NXDomain}
	watch := dnsfilter.Rule{List: "watch", Action: dnsfilter.Monitor}
	quorum := dnsfilter.Quorum{Rule: dnsfilter.Rule{List: "quorum", Action: dnsfilter.NXDomain}, Lists: []string{"agreed"}, AtLeast: 1}
	for _, c := range []struct {
		rules  []dnsfilter.Rule
		qtype  uint16
		answer []string // in any order
		rcode  int
		by     string
	}{
		{[]dnsfilter.Rule{watch, refused, nodata}, dns.TypeA, []string{"A 192.0.2.1", "A 192.0.2.2", "A 192.0.2.3", "A 192.0.2.9"}, dns.RcodeRefused, "refused"},
		{[]dnsfilter.Rule{nodata, refused, watch}, dns.TypeA, []string{"A 192.0.2.1", "A 192.0.2.2", "A 192.0.2.3", "A 192.0.2.9"}, dns.RcodeSuccess, "nodata"},
		{[]dnsfilter.Rule{refused, nodata}, dns.TypeAAAA, []string{"AAAA 2001:db8::1", "AAAA 2001:db8::2"}, dns.RcodeRefused, "refused"},
		{[]dnsfilter.Rule{refused}, dns.TypeA, []string{"A 192.0.2.1", "A 192.0.2.4"}, dns.RcodeRefused, "refused"},
		{[]dnsfilter.Rule{watch}, dns.TypeA, []string{"A 192.0.2.3", "A 192.0.2.4"}, dns.RcodeSuccess, "quorum"},
		{[]dnsfilter.Rule{refused, nodata}, dns.TypeHTTPS, []string{"HTTPS 1 . ipv4hint=192.0.2.2,192.0.2.1"}, dns.RcodeRefused, "refused"},
		{[]dnsfilter.Rule{refused, nodata}, dns.TypeHTTPS, []string{"HTTPS 1 . ipv4hint=192.0.2.2 ipv6hint=2001:db8::1"}, dns.RcodeRefused, "refused"},
		{[]dnsfilter.Rule{nodata, refused}, dns.TypeHTTPS, []string{"HTTPS 1 a.refused.test. ipv4hint=192.0.2.2"}, dns.RcodeSuccess, "nodata"},
		{[]dnsfilter.Rule{nodata, refused}, dns.TypeHTTPS, []string{"HTTPS 1 . ipv4hint=192.0.2.2", "HTTPS 2 a.refused.test."}, dns.RcodeSuccess, "nodata"},
	} {
		policy := dnsfilter.Policy{Rules: c.rules, Quorums: []dnsfilter.Quorum{quorum}}
		for _, answer := range orders(c.answer) {
			for i := range answer {
				answer[i] = asked + " " + strings.TrimPrefix(answer[i], asked+" ")
			}
			up := scripted{answer: answer}
			s, filter := dnstest.NewServer(t, dnsfilter.Config{Store: store, Policy: policy, Upstream: up}), newFilter(t, store, policy)
			for _, h := range []dns.Handler{s, s, filter.Handler(handler{up, false}), filter.Handler(handler{up, true})} {
				reply := ask(t, h, "udp", dnstest.Question(asked, c.qtype))
				assert.Equal(t, c.rcode, reply.Rcode, "%s %s", c.by, answer)
				assert.Empty(t, reply.Answer, "%s %s", c.by, answer)
			}
			blocks := map[string]uint64{}
			for list, actions := range s.Stats().Lists {
				for action, n := range actions {
					if action != dnsfilter.Monitor {
						blocks[list] += n
					}
				}
			}
			assert.Equal(t, map[string]uint64{c.by: 2}, blocks, "%s", answer)
		}
	}
}

// TestAnAnswerIsDecidedOnAsTheListsAreNow changes lists and policy while the answer is in the cache.
func TestAnAnswerIsDecidedOnAsTheListsAreNow(t *testing.T) {
	t.Parallel()
	store := dnstest.NewStore(t, map[string]string{"l": "nothing.test"})
	up := &counting{next: scripted{answer: []string{"www.asked.test. CNAME end.test.", "end.test. A 192.0.2.66"}}}
	sinkhole := dnsfilter.Rule{List: "l", Action: dnsfilter.Sinkhole, Sinkhole: []netip.Addr{netip.MustParseAddr("192.0.2.80")}}
	s := dnstest.NewServer(t, dnsfilter.Config{Store: store, Upstream: up, Policy: dnsfilter.Policy{Rules: []dnsfilter.Rule{sinkhole}}})
	get := func() *dns.Msg { return ask(t, s, "udp", dnstest.Question("www.asked.test.", dns.TypeA)) }
	assert.Len(t, get().Answer, 2)
	for _, lines := range []string{"end.test", "192.0.2.0/24"} {
		blocktest.SetList(t, store, "l", lines)
		reply := get()
		require.Len(t, reply.Answer, 1, lines)
		assert.Contains(t, reply.Answer[0].String(), "192.0.2.80", lines)
		assert.Equal(t, "www.asked.test.", reply.Answer[0].Header().Name)
		blocktest.SetList(t, store, "l", "nothing.test")
		assert.Len(t, get().Answer, 2, lines)
	}
	blocktest.SetList(t, store, "l", "end.test")
	require.NoError(t, s.Reconfigure(dnsfilter.Config{Policy: dnsfilter.Policy{Rules: []dnsfilter.Rule{{List: "l", Action: dnsfilter.Drop}}}, Upstream: up}))
	assert.Nil(t, get())
	assert.EqualValues(t, 1, up.n.Load(), "the answer stayed in the cache")
}

func TestDecideAddr(t *testing.T) {
	t.Parallel()
	store := dnstest.NewStore(t, map[string]string{"l": "192.0.2.0/24\n2001:db8::/32 status=monitor", "allow": "192.0.2.7"})
	p := dnsfilter.Policy{Allow: []string{"allow"}, Rules: []dnsfilter.Rule{{List: "l", Action: dnsfilter.NXDomain}}}
	for addr, want := range map[string]dnsfilter.Action{
		"192.0.2.1": dnsfilter.NoData, "192.0.2.7": dnsfilter.Pass, "2001:db8::1": dnsfilter.Monitor, "198.51.100.1": dnsfilter.Pass,
	} {
		d := p.DecideAddr(store, netip.MustParseAddr(addr))
		assert.Equal(t, want, d.Action, addr)
		if want != dnsfilter.Pass {
			assert.Equal(t, blocklist.ScopeIP, d.Match.Scope)
		}
	}
}
