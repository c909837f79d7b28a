package dnsfilter_test

import (
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter"
)

// writer is a client of another server's handler.
type writer struct {
	recorder
	reply *dns.Msg
}

func (w *writer) WriteMsg(m *dns.Msg) error { w.reply = m; return nil }

func TestAnswerIsThatOfTheServer(t *testing.T) {
	store := newStore(t, map[string]string{"local": "blocked.test\n=alone.test"})
	for _, action := range []dnsfilter.Action{dnsfilter.NXDomain, dnsfilter.NoData, dnsfilter.Refused, dnsfilter.Drop, dnsfilter.Monitor} {
		p := dnsfilter.Policy{Rules: []dnsfilter.Rule{{List: "local", Action: action}}}
		server := newServer(t, dnsfilter.Config{Store: store, Policy: p})
		for _, network := range []string{"udp", "tcp"} {
			for _, name := range []string{"WWW.blocked.test.", "alone.test."} {
				m := question(name, dns.TypeA).SetEdns0(1232, true)
				w := writer{recorder: recorder{network: network}}
				d, err := p.Answer(store, &w, m)
				require.NoError(t, err)
				if action == dnsfilter.Monitor {
					assert.False(t, d.Blocks())
					assert.Nil(t, w.reply)
					continue
				}
				assert.True(t, d.Blocks())
				want := ask(t, server, network, m)
				if want == nil {
					assert.Nil(t, w.reply)
					continue
				}
				assert.Equal(t, want.String(), w.reply.String())
			}
		}
	}
}

func TestAnswerLeavesTheRestToOthers(t *testing.T) {
	store := newStore(t, map[string]string{"local": "blocked.test"})
	p := dnsfilter.Policy{Rules: []dnsfilter.Rule{{List: "local", Action: dnsfilter.NXDomain}}}
	chaos := question("blocked.test.", dns.TypeTXT)
	chaos.Question[0].Qclass = dns.ClassCHAOS
	notify := question("blocked.test.", dns.TypeSOA)
	notify.Opcode = dns.OpcodeNotify
	reply := question("blocked.test.", dns.TypeA)
	reply.Response = true
	for _, m := range []*dns.Msg{question("test.", dns.TypeA), chaos, notify, reply, new(dns.Msg), question("blocked.test.", dns.TypeAXFR)} {
		w := writer{recorder: recorder{network: "tcp"}}
		d, err := p.Answer(store, &w, m)
		require.NoError(t, err)
		assert.False(t, d.Blocks(), m)
		assert.Nil(t, w.reply)
	}
}
