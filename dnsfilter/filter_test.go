package dnsfilter_test

import (
	"context"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter"
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
	store := newStore(t, map[string]string{"local": "blocked.test\n=alone.test"})
	for _, action := range []dnsfilter.Action{dnsfilter.NXDomain, dnsfilter.NoData, dnsfilter.Refused, dnsfilter.Drop, dnsfilter.Monitor} {
		p := dnsfilter.Policy{Rules: []dnsfilter.Rule{{List: "local", Action: action}}}
		server := newServer(t, dnsfilter.Config{Store: store, Policy: p})
		passed := 0
		filter := dnsfilter.NewFilter(store, p).Handler(dns.HandlerFunc(func(dns.ResponseWriter, *dns.Msg) { passed++ }))
		for _, network := range []string{"udp", "tcp"} {
			for _, name := range []string{"WWW.blocked.test.", "alone.test."} {
				m := question(name, dns.TypeA).SetEdns0(1232, true)
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
	store := newStore(t, map[string]string{"local": "blocked.test"})
	p := dnsfilter.Policy{Rules: []dnsfilter.Rule{{List: "local", Action: dnsfilter.NXDomain}}}
	chaos := question("blocked.test.", dns.TypeTXT)
	chaos.Question[0].Qclass = dns.ClassCHAOS
	notify := question("blocked.test.", dns.TypeSOA)
	notify.Opcode = dns.OpcodeNotify
	reply := question("blocked.test.", dns.TypeA)
	reply.Response = true
	for _, m := range []*dns.Msg{question("test.", dns.TypeA), chaos, notify, reply, new(dns.Msg), question("blocked.test.", dns.TypeAXFR)} {
		passed := 0
		filter := dnsfilter.NewFilter(store, p).Handler(dns.HandlerFunc(func(_ dns.ResponseWriter, got *dns.Msg) {
			passed++
			assert.Same(t, m, got)
		}))
		assert.Nil(t, ask(t, filter, "tcp", m))
		assert.Equal(t, 1, passed, m)
	}
}

// What a handler writes is no way around, whatever it says that it answers.
func TestFilterInspectsOddAnswers(t *testing.T) {
	store := newStore(t, map[string]string{"local": "blocked.test\n192.0.2.66"})
	filter := dnsfilter.NewFilter(store, dnsfilter.Policy{Rules: []dnsfilter.Rule{{List: "local", Action: dnsfilter.Refused}}})
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
			})), "udp", question("www.example.org.", dns.TypeA))
			require.NotNil(t, got, name)
			assert.Equal(t, dns.RcodeRefused, got.Rcode, name)
			assert.Empty(t, got.Answer, name)
			assert.Equal(t, "www.example.org.", got.Question[0].Name, name)
		}
	}
	assert.Nil(t, ask(t, filter.Handler(dns.HandlerFunc(func(w dns.ResponseWriter, _ *dns.Msg) {
		_, err := w.Write([]byte("no message"))
		assert.Error(t, err)
		assert.Error(t, w.WriteMsg(&dns.Msg{Answer: []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: "a..b."}}}}))
	})), "udp", question("www.example.org.", dns.TypeA)))
}
