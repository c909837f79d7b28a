package dnsfilter_test

import (
	"context"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

// handler is that of another server.
type handler struct {
	upstream dnsfilter.Upstream
	packed   bool // it writes bytes
}

func (h handler) ServeDNS(w dns.ResponseWriter, m *dns.Msg) {
	reply, err := h.upstream.Exchange(context.Background(), m)
	if err != nil {
		panic(err)
	}
	if !h.packed {
		w.WriteMsg(reply)
		return
	}
	b, err := reply.Pack()
	if err != nil {
		panic(err)
	}
	w.Write(b)
}

func TestFilterAnswersLikeTheServer(t *testing.T) {
	store := dnstest.NewStore(t, map[string]string{"local": "blocked.test\n=alone.test"})
	for _, action := range []dnsfilter.Action{dnsfilter.NXDomain, dnsfilter.NoData, dnsfilter.Refused, dnsfilter.Drop, dnsfilter.Monitor} {
		p := dnsfilter.Policy{Rules: []dnsfilter.Rule{{List: "local", Action: action}}}
		server := dnstest.NewServer(t, dnsfilter.Config{Store: store, Policy: p})
		passed := 0
		filter := newFilter(t, store, p).Handler(dns.HandlerFunc(func(dns.ResponseWriter, *dns.Msg) { passed++ }))
		for _, network := range []string{"udp", "tcp"} {
			for _, name := range []string{"WWW.blocked.test.", "alone.test."} {
				m := dnstest.Question(name, dns.TypeA).SetEdns0(1232, true)
				got := ask(t, filter, network, m)
				if action == dnsfilter.Monitor || action == dnsfilter.Drop {
					assert.Nil(t, got)
					continue
				}
				assert.Equal(t, ask(t, server, network, m).String(), got.String())
			}
		}
		want := 0
		if action == dnsfilter.Monitor {
			want = 4
		}
		assert.Equal(t, want, passed, action)
	}
}

func TestFilterLeavesTheRestToOthers(t *testing.T) {
	store := dnstest.NewStore(t, map[string]string{"local": "blocked.test"})
	p := dnsfilter.Policy{Rules: []dnsfilter.Rule{{List: "local", Action: dnsfilter.NXDomain}}}
	transfer := dnstest.Question("test.", dns.TypeIXFR)
	transfer.Ns = []dns.RR{&dns.SOA{Hdr: dns.RR_Header{Name: "test.", Rrtype: dns.TypeSOA, Class: dns.ClassINET}, Ns: ".", Mbox: "."}}
	for _, m := range []*dns.Msg{
		dnstest.Question("test.", dns.TypeA), new(dns.Msg).SetNotify("test."), new(dns.Msg).SetUpdate("test."), new(dns.Msg), dnstest.Question("test.", dns.TypeAXFR), transfer,
	} {
		passed := 0
		filter := newFilter(t, store, p).Handler(dns.HandlerFunc(func(_ dns.ResponseWriter, got *dns.Msg) {
			passed++
			assert.Same(t, m, got)
		}))
		assert.Nil(t, ask(t, filter, "tcp", m))
		assert.Equal(t, 1, passed, m)
	}
}

// oddQuestions are unusual queries that a parser may fail on, and the rcode for each, for listed names and others; -1
// means no answer.
func oddQuestions(name string) map[string]struct {
	msg   *dns.Msg
	rcode int
} {
	odd := map[string]struct {
		msg   *dns.Msg
		rcode int
	}{}
	add := func(label string, rcode int, change func(*dns.Msg)) {
		m := dnstest.Question(name, dns.TypeA).SetEdns0(1232, false)
		change(m)
		odd[label] = struct {
			msg   *dns.Msg
			rcode int
		}{m, rcode}
	}
	record := &dns.A{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: []byte{192, 0, 2, 1}}
	add("a cookie of a wrong length", dns.RcodeFormatError, func(m *dns.Msg) {
		m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0011"}}
	})
	add("two OPT records", dns.RcodeFormatError, func(m *dns.Msg) { m.Extra = append(m.Extra, dns.Copy(m.Extra[0])) })
	add("an OPT record below the root", dns.RcodeFormatError, func(m *dns.Msg) { m.IsEdns0().Hdr.Name = name })
	add("another version of EDNS", dns.RcodeBadVers, func(m *dns.Msg) { m.IsEdns0().SetVersion(1) })
	add("class ANY", dns.RcodeRefused, func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassANY })
	add("class CH", dns.RcodeRefused, func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS })
	add("class NONE", dns.RcodeRefused, func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassNONE })
	add("two questions", dns.RcodeFormatError, func(m *dns.Msg) {
		m.Question = []dns.Question{{Name: "www.example.org.", Qtype: dns.TypeA, Qclass: dns.ClassINET}, m.Question[0]}
	})
	add("type MAILB", dns.RcodeRefused, func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeMAILB })
	add("a record as answer", dns.RcodeFormatError, func(m *dns.Msg) { m.Answer = []dns.RR{record} })
	add("a record as authority", dns.RcodeFormatError, func(m *dns.Msg) { m.Ns = []dns.RR{record} })
	add("a response", -1, func(m *dns.Msg) { m.Response = true })
	return odd
}

// TestFilterRefusesWhatItCannotRead: no unusual query bypasses the filter, as none bypasses the server.
func TestFilterRefusesWhatItCannotRead(t *testing.T) {
	store := dnstest.NewStore(t, map[string]string{"local": "blocked.test"})
	p := dnsfilter.Policy{Rules: []dnsfilter.Rule{{List: "local", Action: dnsfilter.NXDomain}}}
	server := dnstest.NewServer(t, dnsfilter.Config{Store: store, Policy: p})
	for _, name := range []string{"blocked.test.", "other.test."} {
		for label, c := range oddQuestions(name) {
			passed := 0
			filter := newFilter(t, store, p).Handler(dns.HandlerFunc(func(dns.ResponseWriter, *dns.Msg) { passed++ }))
			for _, network := range []string{"udp", "tcp"} {
				for _, h := range []dns.Handler{filter, server} {
					got := ask(t, h, network, c.msg)
					if c.rcode < 0 {
						assert.Nil(t, got, label)
						continue
					}
					require.NotNil(t, got, label)
					assert.Equal(t, c.rcode, got.Rcode, "%s %s", name, label)
					assert.NotNil(t, got.IsEdns0(), label)
				}
			}
			assert.Zero(t, passed, label)
		}
	}
}

// The decision on the name applies to every opcode.
func TestFilterDecidesWhateverTheOpcode(t *testing.T) {
	store := dnstest.NewStore(t, map[string]string{"local": "blocked.test\n192.0.2.66"})
	filter := newFilter(t, store, dnsfilter.Policy{Rules: []dnsfilter.Rule{{List: "local", Action: dnsfilter.NXDomain}}})
	rr, err := dns.NewRR("test. A 192.0.2.66")
	require.NoError(t, err)
	next := filter.Handler(dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) {
		reply := new(dns.Msg).SetReply(m)
		reply.Answer = []dns.RR{rr}
		require.NoError(t, w.WriteMsg(reply))
	}))
	for _, name := range []string{"www.blocked.test.", "test."} {
		m := new(dns.Msg).SetNotify(name)
		m.Question[0].Qtype = dns.TypeA
		got := ask(t, next, "udp", m)
		assert.Empty(t, got.Answer, name)
		assert.Equal(t, dns.OpcodeNotify, got.Opcode, name)
	}
	assert.Equal(t, dns.RcodeNameError, ask(t, next, "tcp", dnstest.Question("blocked.test.", dns.TypeAXFR)).Rcode)
}

// The answer of the handler is inspected, whatever its question section says.
func TestFilterInspectsOddAnswers(t *testing.T) {
	store := dnstest.NewStore(t, map[string]string{"local": "blocked.test\n192.0.2.66"})
	filter := newFilter(t, store, dnsfilter.Policy{Rules: []dnsfilter.Rule{{List: "local", Action: dnsfilter.Refused}}})
	alias, err := dns.NewRR("www.example.org. CNAME www.blocked.test.")
	require.NoError(t, err)
	for name, change := range map[string]func(*dns.Msg){
		"without a question":   func(m *dns.Msg) { m.Question = nil },
		"with another":         func(m *dns.Msg) { m.Question[0].Name = "a.long.name.of.another.test." },
		"with two":             func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) },
		"compressed":           func(m *dns.Msg) { m.Compress = true },
		"that claims an error": func(m *dns.Msg) { m.Rcode = dns.RcodeServerFailure },
	} {
		for _, packed := range []bool{false, true} {
			got := ask(t, filter.Handler(dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) {
				reply := new(dns.Msg).SetReply(m)
				reply.Answer = []dns.RR{alias}
				change(reply)
				if !packed {
					assert.NoError(t, w.WriteMsg(reply))
					return
				}
				b, err := reply.Pack()
				require.NoError(t, err)
				n, err := w.Write(b)
				assert.NoError(t, err)
				assert.Equal(t, len(b), n)
			})), "udp", dnstest.Question("www.example.org.", dns.TypeA))
			require.NotNil(t, got, name)
			assert.Equal(t, dns.RcodeRefused, got.Rcode, name)
			assert.Empty(t, got.Answer, name)
			assert.Equal(t, "www.example.org.", got.Question[0].Name, name)
		}
	}
	assert.Nil(t, ask(t, filter.Handler(dns.HandlerFunc(func(w dns.ResponseWriter, _ *dns.Msg) {
		_, err := w.Write([]byte("no message"))
		assert.Error(t, err)
	})), "udp", dnstest.Question("www.example.org.", dns.TypeA)))
}

// TestFilterKeepsBackAddressesOfEverySection: clients may use addresses in any section.
func TestFilterKeepsBackAddressesOfEverySection(t *testing.T) {
	store := dnstest.NewStore(t, map[string]string{"local": "blocked.test\n192.0.2.66"})
	filter := newFilter(t, store, dnsfilter.Policy{Rules: []dnsfilter.Rule{{List: "local", Action: dnsfilter.NXDomain}}})
	var beside []dns.RR
	for _, text := range []string{
		"example.org. NS ns.example.org.", "blocked.test. A 192.0.2.5", "a.blocked.test. AAAA 2001:db8::1", "ns.example.org. A 192.0.2.66",
		"ns.example.org. AAAA 64:ff9b::192.0.2.66", "b.example.org. CNAME blocked.test.", "ns.example.org. A 192.0.2.53",
	} {
		rr, err := dns.NewRR(text)
		require.NoError(t, err)
		beside = append(beside, rr)
	}
	kept := lines([]dns.RR{beside[0], beside[len(beside)-1]})
	for _, qtype := range []uint16{dns.TypeA, dns.TypeNS, dns.TypeMX, dns.TypeSRV, dns.TypeHTTPS, dns.TypeANY} {
		got := ask(t, filter.Handler(dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) {
			reply := new(dns.Msg).SetReply(m)
			reply.Ns, reply.Extra = beside, beside
			assert.NoError(t, w.WriteMsg(reply))
		})), "udp", dnstest.Question("www.example.org.", qtype))
		assert.Equal(t, kept, lines(got.Ns), dns.TypeToString[qtype])
		assert.Equal(t, kept, lines(got.Extra), dns.TypeToString[qtype])
	}
	assert.Len(t, beside, 7, "what the handler keeps is not changed")
}

func lines(records []dns.RR) string {
	var out strings.Builder
	for _, rr := range records {
		out.WriteString(rr.String() + "\n")
	}
	return out.String()
}
