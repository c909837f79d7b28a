package upstream_test

import (
	"encoding/binary"
	"net"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// askEDNS asks with an OPT record.
func askEDNS(t *testing.T, f *upstream.Forwarder, do bool) *dns.Msg {
	t.Helper()
	m, err := f.Exchange(t.Context(), new(dns.Msg).SetQuestion("example.org.", dns.TypeA).SetEdns0(1232, do))
	require.NoError(t, err)
	return m
}

// refusingEDNS are the ways in which resolvers without EDNS fail a query that has an OPT record.
var refusingEDNS = map[string]func(w dns.ResponseWriter, q *dns.Msg){
	"FORMERR": func(w dns.ResponseWriter, q *dns.Msg) { _ = w.WriteMsg(reply(q, dns.RcodeFormatError, "")) },
	"NOTIMP":  func(w dns.ResponseWriter, q *dns.Msg) { _ = w.WriteMsg(reply(q, dns.RcodeNotImplemented, "")) },
	"FORMERR with OPT": func(w dns.ResponseWriter, q *dns.Msg) {
		_ = w.WriteMsg(reply(q, dns.RcodeFormatError, "").SetEdns0(1232, false))
	},
	"BADVERS": func(w dns.ResponseWriter, q *dns.Msg) {
		_ = w.WriteMsg(reply(q, dns.RcodeBadVers, "").SetEdns0(1232, false))
	},
	"a header alone": func(w dns.ResponseWriter, q *dns.Msg) {
		header := [12]byte{2: 0x81, 3: dns.RcodeFormatError}
		binary.BigEndian.PutUint16(header[:], q.Id)
		_, _ = w.Write(header[:])
	},
}

func TestResolverWithoutEDNS(t *testing.T) {
	t.Parallel()
	for how, refuse := range refusingEDNS {
		var with, without atomic.Int64
		resolver := newFake(t, func(_ string, w dns.ResponseWriter, q *dns.Msg) {
			if q.IsEdns0() != nil {
				with.Add(1)
				refuse(w, q)
				return
			}
			without.Add(1)
			_ = w.WriteMsg(reply(q, dns.RcodeSuccess, "192.0.2.1"))
		})
		f := newForwarder(t, resolver)
		for range 6 {
			m := askEDNS(t, f, false)
			require.Len(t, m.Answer, 1, how)
			require.Nil(t, m.IsEdns0(), how)
		}
		assert.EqualValues(t, 3, with.Load(), "%s: then it is asked without", how)
		assert.EqualValues(t, 6, without.Load(), how)
		assert.False(t, status(f).CaseDisabled, "%s: it was not the case", how)
		if how != "a header alone" && how != "BADVERS" {
			assert.Empty(t, askEDNS(t, f, true).Answer, "%s: a question with the DO bit means nothing without EDNS", how)
		}
		assert.EqualValues(t, 6, without.Load(), how)
		good := newFake(t, answering("192.0.2.2"))
		assert.Len(t, askEDNS(t, newForwarder(t, resolver, good), true).Answer, 1, "%s: the next one is asked", how)
	}
}

func TestResolverWithoutEDNSOverTLS(t *testing.T) {
	t.Parallel()
	_, at := newTLS(t, func(c *dns.Conn, packed []byte) bool {
		var q dns.Msg
		if q.Unpack(packed) == nil && q.IsEdns0() != nil {
			_ = c.WriteMsg(reply(&q, dns.RcodeFormatError, ""))
			return true
		}
		respond(c, packed)
		return true
	})
	f, err := upstream.New(at)
	require.NoError(t, err)
	for range 5 {
		assert.Len(t, askEDNS(t, f, false).Answer, 1)
	}
}

// TestFailuresOfTheNameAreNotThoseOfEDNS has a resolver that fails with EDNS and without.
func TestFailuresOfTheNameAreNotThoseOfEDNS(t *testing.T) {
	t.Parallel()
	var with atomic.Int64
	f := newForwarder(t, newFake(t, func(_ string, w dns.ResponseWriter, q *dns.Msg) {
		if q.IsEdns0() != nil {
			with.Add(1)
		}
		_ = w.WriteMsg(reply(q, dns.RcodeFormatError, ""))
	}))
	for range 5 {
		assert.Equal(t, dns.RcodeFormatError, askEDNS(t, f, false).Rcode)
	}
	assert.GreaterOrEqual(t, with.Load(), int64(5), "it is asked with EDNS each time")
}

func TestSilentAboutEDNSIsNoProof(t *testing.T) {
	t.Parallel()
	f := newForwarder(t, newFake(t, func(_ string, w dns.ResponseWriter, q *dns.Msg) {
		m := reply(q, dns.RcodeSuccess, "")
		m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(192, 0, 2, 1)}}
		_ = w.WriteMsg(m) // without an OPT record: it ignores ours
	}))
	for range 5 {
		assert.Len(t, askEDNS(t, f, false).Answer, 1)
	}
}
