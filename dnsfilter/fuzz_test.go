package dnsfilter_test

import (
	"context"
	"encoding/binary"
	"net"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
	"github.com/argine-dns/argine/testdata/pipes"
)

// FuzzQuery sends any bytes to the server. It never fails, and an answer is one: it can be read, it is a response, it
// has the id of the query, and over UDP it is no longer than 1232 bytes.
func FuzzQuery(f *testing.F) {
	for _, m := range []*dns.Msg{
		dnstest.Question("example.org.", dns.TypeA), dnstest.Question("A.Nxdomain.Test.", dns.TypeHTTPS).SetEdns0(1232, true),
		dnstest.Question("sinkhole.test.", dns.TypeAAAA).SetEdns0(100, false), dnstest.Question("drop.test.", dns.TypeANY), dnstest.Question(".", dns.TypeNS),
		dnstest.Question(`\000\255.\..nodata.test.`, dns.TypeTXT), new(dns.Msg).SetReply(dnstest.Question("example.org.", dns.TypeA)),
		{MsgHdr: dns.MsgHdr{Id: 1}, Question: []dns.Question{{Name: "example.org.", Qtype: dns.TypeA, Qclass: dns.ClassINET}, {Name: "refused.test.", Qtype: dns.TypeA, Qclass: dns.ClassINET}}},
		new(dns.Msg).SetUpdate("example.org."), new(dns.Msg).SetNotify("example.org."), new(dns.Msg).SetAxfr("example.org."),
	} {
		packed, err := m.Pack()
		require.NoError(f, err)
		f.Add(packed)
		f.Add(packed[:len(packed)-3])
	}
	s, filter := blockingServer(f), blockingFilter(f)
	listener := pipes.Listen()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx, &dnsfilter.Listeners{TCP: []net.Listener{listener}}) }()
	f.Cleanup(func() { cancel(); assert.NoError(f, <-done) })
	f.Fuzz(func(t *testing.T, packet []byte) {
		if len(packet) > dns.MaxMsgSize {
			return
		}
		for _, reply := range send(t, listener, packet) {
			checkReply(t, packet, reply)
		}
		var m dns.Msg
		if m.Unpack(packet) == nil {
			r := recorder{network: "udp"}
			s.ServeDNS(&r, &m)
			if r.got != nil {
				checkReply(t, packet, r.got)
				assert.LessOrEqual(t, len(r.got), 1232)
			}
			checkFilter(t, filter, &m)
		}
	})
}

// blockingFilter blocks the names that blockingServer does, in front of a handler that has an answer to everything.
func blockingFilter(t testing.TB) dns.Handler {
	t.Helper()
	lines := ""
	for _, action := range []string{"nxdomain", "nodata", "refused", "drop", "sinkhole"} {
		lines += action + ".test\n"
	}
	filter := newFilter(t, dnstest.NewStore(t, map[string]string{"l": lines}), dnsfilter.Policy{Rules: []dnsfilter.Rule{{List: "l", Action: dnsfilter.Refused}}})
	return filter.Handler(dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) {
		reply := new(dns.Msg).SetReply(m)
		name := "."
		for _, q := range m.Question {
			name = q.Name
		}
		reply.Answer = []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: []string{"passed"}}}
		_ = w.WriteMsg(reply) // it may be none
	}))
}

// checkFilter checks that a filter lets nothing be answered that names something listed.
func checkFilter(t *testing.T, filter dns.Handler, m *dns.Msg) {
	t.Helper()
	var reply dns.Msg
	r := recorder{network: "udp"}
	filter.ServeDNS(&r, m)
	if r.got == nil || reply.Unpack(r.got) != nil || len(reply.Answer) == 0 {
		return
	}
	for _, q := range m.Question {
		name, err := blocklist.AppendName(nil, q.Name)
		require.NoError(t, err)
		for _, action := range []string{"nxdomain", "nodata", "refused", "drop", "sinkhole"} {
			listed, err := blocklist.ParseName(action + ".test")
			require.NoError(t, err)
			assert.False(t, blocklist.Name(name).Within(listed), "%s", q.Name)
		}
	}
}

// send sends a packet, and behind it a query that is always answered, and returns the answers that came before that
// one's.
func send(t *testing.T, listener *pipes.Listener, packet []byte) (replies [][]byte) {
	t.Helper()
	client, server := net.Pipe()
	defer client.Close()
	listener.Conns <- server
	marker := dnstest.Question("marker.nxdomain.test.", dns.TypeA)
	if len(packet) > 1 {
		marker.Id = ^binary.BigEndian.Uint16(packet)
	}
	packed, err := marker.Pack()
	require.NoError(t, err)
	conn := &dns.Conn{Conn: client}
	go func() {
		_, _ = conn.Write(packet)
		_, _ = conn.Write(packed)
	}()
	for {
		reply, err := conn.ReadMsgHeader(nil)
		require.NoError(t, err)
		if binary.BigEndian.Uint16(reply) == marker.Id {
			return replies
		}
		replies = append(replies, reply)
	}
}

func checkReply(t *testing.T, packet, reply []byte) {
	t.Helper()
	var m dns.Msg
	require.NoError(t, m.Unpack(reply))
	assert.True(t, m.Response)
	assert.Equal(t, binary.BigEndian.Uint16(packet), m.Id)
	assert.Zero(t, packet[2]&0x80, "no reply to a reply")
}
