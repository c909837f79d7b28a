package peers

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/testdata/freeport"
)

// Upstream starts a DNS server that answers every name with 192.0.2.1, and returns its address.
func Upstream(t testing.TB) string {
	t.Helper()
	return Server(t, func(w dns.ResponseWriter, query *dns.Msg) {
		reply := new(dns.Msg).SetReply(query)
		reply.RecursionAvailable = true
		if q := query.Question[0]; q.Qtype == dns.TypeA {
			header := dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: q.Qclass, Ttl: 1}
			reply.Answer = []dns.RR{&dns.A{Hdr: header, A: net.IPv4(192, 0, 2, 1)}}
		}
		_ = w.WriteMsg(reply)
	})
}

// Server starts a DNS server over UDP and TCP, and returns its address.
func Server(t testing.TB, handle dns.HandlerFunc) string {
	t.Helper()
	addr := freeport.Addr(t)
	for _, network := range []string{"udp", "tcp"} {
		started := make(chan struct{})
		s := &dns.Server{Addr: addr, Net: network, Handler: handle, NotifyStartedFunc: func() { close(started) }}
		go func() { _ = s.ListenAndServe() }() // it ends with the test
		<-started
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	return addr
}

// Resolver starts the command dnsfilter, from [Build], with a settings file. The argument settings is the text of the
// file, in which addr must be the first address. Resolver waits until the command answers there for free.example with
// 192.0.2.1, the answer of [Upstream].
func Resolver(t testing.TB, dnsfilter, dir, settings, addr string) *Process {
	t.Helper()
	p := Start(t, dir, dnsfilter, "serve", "-c", Write(t, dir, "dnsfilter-"+Port(addr)+".yaml", settings))
	Await(t, addr, "free.example", "NOERROR 192.0.2.1")
	return p
}

// Ask queries the A record of a name over UDP. It returns the rcode and the addresses, or the error, as text. The
// argument client is the source address; empty: any.
func Ask(client, addr, name string) string {
	c := dns.Client{Timeout: 2 * time.Second}
	if client != "" {
		c.Dialer = &net.Dialer{LocalAddr: &net.UDPAddr{IP: net.ParseIP(client)}, Timeout: c.Timeout}
	}
	m, _, err := c.Exchange(new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeA), addr)
	if err != nil {
		return err.Error()
	}
	words := []string{dns.RcodeToString[m.Rcode]}
	for _, rr := range m.Answer {
		if a, ok := rr.(*dns.A); ok {
			words = append(words, a.A.String())
		}
	}
	return strings.Join(words, " ")
}

// Await waits up to 20 seconds until [Ask] returns want.
func Await(t testing.TB, addr, name, want string) {
	t.Helper()
	got := ""
	Wait(t, 20*time.Second, func() bool { got = Ask("", addr, name); return got == want })
	require.Equal(t, want, got, name)
}

// Eventually waits up to 20 seconds until the function text returns a string that contains part.
func Eventually(t testing.TB, text func() string, part string) {
	t.Helper()
	got := ""
	Wait(t, 20*time.Second, func() bool { got = text(); return strings.Contains(got, part) })
	assert.Contains(t, got, part)
}
