package dnsfilter_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// failing is an upstream that may be switched off.
type failing struct {
	next dnsfilter.Upstream
	off  atomic.Bool
	n    atomic.Int64
}

func (f *failing) Exchange(ctx context.Context, q *dns.Msg) (*dns.Msg, error) {
	f.n.Add(1)
	if f.off.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return f.next.Exchange(ctx, q)
}

func TestServeStale(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up := &failing{next: dnstest.NewZone(t, cacheZone)}
		s := dnstest.NewServer(t, dnsfilter.Config{Upstream: up})
		for _, name := range []string{"a.test.", "none.test."} {
			ask(t, s, "udp", dnstest.Question(name, dns.TypeA))
		}
		up.off.Store(true)
		time.Sleep(10 * time.Minute)
		for i, c := range []struct {
			name string
			want uint16
			wait time.Duration
		}{
			{"a.test.", dns.ExtendedErrorCodeStaleAnswer, 1800 * time.Millisecond},
			{"a.test.", dns.ExtendedErrorCodeStaleAnswer, 0}, // this name is known to fail: no one waits
			{"none.test.", dns.ExtendedErrorCodeStaleNXDOMAINAnswer, 1800 * time.Millisecond},
			{"new.test.", dns.ExtendedErrorCodeNoReachableAuthority, 4800 * time.Millisecond},
			{"new.test.", dns.ExtendedErrorCodeNoReachableAuthority, 0}, // it has failed a moment ago (RFC 9520)
		} {
			begin := time.Now()
			reply := ask(t, s, "udp", dnstest.Question(c.name, dns.TypeA).SetEdns0(1232, false))
			assert.Equal(t, []uint16{c.want}, dnstest.EDEs(reply), i)
			assert.Equal(t, c.wait, time.Since(begin), i)
			for _, rr := range append(reply.Answer, reply.Ns...) {
				assert.EqualValues(t, 30, rr.Header().Ttl, i)
			}
		}
		up.off.Store(false)
		time.Sleep(time.Minute)
		assert.Empty(t, dnstest.EDEs(ask(t, s, "udp", dnstest.Question("a.test.", dns.TypeA).SetEdns0(1232, false))))
		time.Sleep(25 * time.Hour)
		up.off.Store(true)
		assert.Equal(t, dns.RcodeServerFailure, ask(t, s, "udp", dnstest.Question("a.test.", dns.TypeA)).Rcode, "too old")
	})
}

// TestServeStaleForFailures has an upstream that is there and finds no answer, as a resolver does without a
// network.
func TestServeStaleForFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		zone, rcode := dnstest.NewZone(t, cacheZone), dns.RcodeSuccess
		s := dnstest.NewServer(t, dnsfilter.Config{Upstream: upstreamFunc(func(ctx context.Context, q *dns.Msg) (*dns.Msg, error) {
			if rcode != dns.RcodeSuccess {
				return new(dns.Msg).SetRcode(q, rcode), nil
			}
			return zone.Exchange(ctx, q)
		})})
		get := func(name string) *dns.Msg {
			return ask(t, s, "udp", dnstest.Question(name, dns.TypeA).SetEdns0(1232, false))
		}
		get("a.test.")
		time.Sleep(time.Minute)
		for _, rcode = range []int{dns.RcodeServerFailure, dns.RcodeRefused, dns.RcodeFormatError, dns.RcodeNotImplemented} {
			reply := get("a.test.")
			assert.Equal(t, []uint16{dns.ExtendedErrorCodeStaleAnswer}, dnstest.EDEs(reply))
			assert.Len(t, reply.Answer, 2)
			time.Sleep(3 * time.Second)
			synctest.Wait()
		}
		reply := get("b.test.")
		assert.Equal(t, dns.RcodeServerFailure, reply.Rcode, "the client's question is not malformed")
		assert.Equal(t, []uint16{dns.ExtendedErrorCodeNoReachableAuthority}, dnstest.EDEs(reply))
		rcode = dns.RcodeSuccess
		assert.NotEmpty(t, dnstest.EDEs(get("a.test.")), "no one waits, and it is asked for again")
		synctest.Wait()
		assert.Empty(t, dnstest.EDEs(get("a.test.")))
		time.Sleep(25 * time.Hour)
		rcode = dns.RcodeServerFailure
		assert.Equal(t, rcode, get("a.test.").Rcode, "too old")
	})
}

func TestPopularAnswersAreRefreshed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up := &counting{next: dnstest.NewZone(t, cacheZone)}
		s := dnstest.NewServer(t, dnsfilter.Config{Upstream: up})
		for range 4 {
			ask(t, s, "udp", dnstest.Question("a.test.", dns.TypeA)) // it lives for 20 seconds
		}
		assert.EqualValues(t, 1, up.n.Load())
		time.Sleep(19 * time.Second)
		reply := ask(t, s, "udp", dnstest.Question("a.test.", dns.TypeA))
		assert.EqualValues(t, 281, reply.Answer[0].Header().Ttl, "the answer is the one that is held")
		synctest.Wait()
		assert.EqualValues(t, 2, up.n.Load(), "and a new one is fetched")
		reply = ask(t, s, "udp", dnstest.Question("a.test.", dns.TypeA))
		assert.EqualValues(t, 300, reply.Answer[0].Header().Ttl)
		assert.EqualValues(t, 2, up.n.Load())
	})
}

// forwarding is a server in front of a resolver on loopback that answers with handle.
func forwarding(t *testing.T, handle dns.HandlerFunc) (s *dnsfilter.Server, addr string) {
	t.Helper()
	s = dnstest.NewServer(t, dnsfilter.Config{Upstream: newForwarder(t, handle)})
	addr, _ = dnstest.Serve(t, s)
	return s, addr
}

// newForwarder makes a forwarder to a resolver on loopback that answers with handle.
func newForwarder(t *testing.T, handle dns.HandlerFunc) *upstream.Forwarder {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	d := &dns.Server{PacketConn: conn, Handler: handle}
	started := make(chan struct{})
	d.NotifyStartedFunc = func() { close(started) }
	go func() { assert.NoError(t, d.ActivateAndServe()) }()
	<-started
	t.Cleanup(func() { assert.NoError(t, d.Shutdown()) })
	f, err := upstream.New(upstream.Endpoint{Addr: netip.MustParseAddrPort(conn.LocalAddr().String())})
	require.NoError(t, err)
	return f
}

// TestForwardingOverSockets asks for many names from many clients at once, some of them the same, over UDP and TCP.
func TestForwardingOverSockets(t *testing.T) {
	t.Parallel()
	up := wrapped{asked: new(atomic.Int64), exchanged: new(atomic.Int64)}
	var names sync.Map
	up.AsyncUpstream = newForwarder(t, func(w dns.ResponseWriter, q *dns.Msg) {
		name := strings.ToLower(q.Question[0].Name)
		if name != "." { // a slow machine makes the forwarder probe
			names.Store(name, true)
		}
		time.Sleep(20 * time.Millisecond) // for others to join; those who come later are answered from the cache
		m := new(dns.Msg).SetReply(q)
		m.Answer = []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 60}, Txt: []string{name}}}
		m.SetEdns0(1232, false)
		assert.NoError(t, w.WriteMsg(m))
	})
	addr, _ := dnstest.Serve(t, dnstest.NewServer(t, dnsfilter.Config{Upstream: up}))
	var wg sync.WaitGroup
	for client := range 16 {
		wg.Go(func() {
			c := dns.Client{Net: []string{"udp", "tcp"}[client%2], Timeout: time.Minute}
			for i := range 50 {
				name := fmt.Sprintf("n%d.test.", (i+client/4*10)%100)
				reply, _, err := c.Exchange(dnstest.Question(name, dns.TypeTXT), addr)
				if assert.NoError(t, err) && assert.Len(t, reply.Answer, 1) {
					assert.Equal(t, name, reply.Answer[0].Header().Name)
					assert.Contains(t, reply.Answer[0].String(), fmt.Sprintf("TXT\t%q", name))
					assert.Nil(t, reply.IsEdns0())
				}
			}
		})
	}
	wg.Wait()
	asked := 0
	names.Range(func(_, _ any) bool { asked++; return true })
	assert.Equal(t, 80, asked)
	// Once for each name. A query that misses the cache just before the answer comes, and looks for the query in flight
	// just after it, asks again. That is rare, and how often depends on the scheduler.
	assert.LessOrEqual(t, up.asked.Load(), int64(84))
}

// wrapped is an upstream around another one, which counts what goes through.
type wrapped struct {
	dnsfilter.AsyncUpstream

	asked, exchanged *atomic.Int64
}

func (w wrapped) Exchange(ctx context.Context, q *dns.Msg) (*dns.Msg, error) {
	w.exchanged.Add(1)
	return w.AsyncUpstream.Exchange(ctx, q)
}

func (w wrapped) NewSession(loop *upstream.Loop, idle func()) upstream.Session {
	return wrappedSession{w.AsyncUpstream.NewSession(loop, idle), w.asked}
}

type wrappedSession struct {
	upstream.Session

	asked *atomic.Int64
}

func (s wrappedSession) Ask(query []byte, to upstream.Receiver) {
	s.asked.Add(1)
	s.Session.Ask(query, to)
}

// TestAWrappedForwarderIsAskedBySessions keeps the fast path, over UDP and TCP.
func TestAWrappedForwarderIsAskedBySessions(t *testing.T) {
	t.Parallel()
	f := newForwarder(t, func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		m.Answer = []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 60}, Txt: []string{"x"}}}
		assert.NoError(t, w.WriteMsg(m))
	})
	up := wrapped{f, new(atomic.Int64), new(atomic.Int64)}
	addr, _ := dnstest.Serve(t, dnstest.NewServer(t, dnsfilter.Config{Upstream: up}))
	for _, network := range []string{"udp", "tcp"} {
		assert.Len(t, dnstest.Exchange(t, network, addr, dnstest.Question(network+".test.", dns.TypeTXT)).Answer, 1)
	}
	assert.EqualValues(t, 2, up.asked.Load())
	assert.Zero(t, up.exchanged.Load())
}

// TestBrokenRepliesAreNotPassedOn has a resolver whose answers belong to the question and are broken.
func TestBrokenRepliesAreNotPassedOn(t *testing.T) {
	t.Parallel()
	tails := []string{"\xc0", "\xc0\x0c\x00\x01", "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x01\x02\x03", "\xc0\xff" +
		"\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x01\x02\x03\x04", "\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x02\xc0\x7f"}
	_, addr := forwarding(t, func(w dns.ResponseWriter, q *dns.Msg) {
		m, err := new(dns.Msg).SetReply(q).Pack()
		assert.NoError(t, err)
		m[7] = 1
		_, err = w.Write(append(m, tails[int(q.Question[0].Name[0]-'0')]...))
		assert.NoError(t, err)
	})
	for i := range tails {
		reply := dnstest.Exchange(t, "udp", addr, dnstest.Question(fmt.Sprintf("%d.test.", i), dns.TypeA))
		assert.Equal(t, dns.RcodeServerFailure, reply.Rcode, i)
	}
}

func TestErrorsOfAnUpstreamReachTheClient(t *testing.T) {
	t.Parallel()
	s := dnstest.NewServer(t, dnsfilter.Config{Upstream: upstreamFunc(func(context.Context, *dns.Msg) (*dns.Msg, error) { return nil, errors.New("no") })})
	addr, _ := dnstest.Serve(t, s)
	assert.Equal(t, dns.RcodeServerFailure, dnstest.Exchange(t, "udp", addr, dnstest.Question("a.test.", dns.TypeA)).Rcode)
}

// TestFailuresDoNotAffectOtherQueries has an upstream that is silent about one name: another is answered freshly.
func TestFailuresDoNotAffectOtherQueries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		zone, off, asked := dnstest.NewZone(t, cacheZone), false, atomic.Int64{}
		s := dnstest.NewServer(t, dnsfilter.Config{Upstream: upstreamFunc(func(ctx context.Context, q *dns.Msg) (*dns.Msg, error) {
			if off && q.Question[0].Name == "a.test." {
				asked.Add(1)
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return zone.Exchange(ctx, q)
		})})
		get := func(name string) []uint16 {
			return dnstest.EDEs(ask(t, s, "udp", dnstest.Question(name, dns.TypeA).SetEdns0(1232, false)))
		}
		get("a.test.")
		get("none.test.")
		off = true
		time.Sleep(10 * time.Minute)
		for range 3 {
			assert.NotEmpty(t, get("a.test."))
			assert.Empty(t, get("none.test."))
			time.Sleep(10 * time.Minute)
		}
		asked.Store(0)
		begin := time.Now()
		for time.Since(begin) < time.Minute {
			assert.NotEmpty(t, get("a.test."))
			time.Sleep(10 * time.Millisecond)
		}
		assert.LessOrEqual(t, asked.Load(), int64(12), "what has failed is not asked for all the time")
		time.Sleep(5 * time.Second) // for the last question
	})
}

// TestUpstreamsExtendedErrorsArePassedOn has a validating resolver that says why it fails, and one that says what it
// does.
func TestUpstreamsExtendedErrorsArePassedOn(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	_, addr := forwarding(t, func(w dns.ResponseWriter, q *dns.Msg) {
		asked.Add(1)
		m := new(dns.Msg).SetRcode(q, dns.RcodeServerFailure)
		code := dns.ExtendedErrorCodeDNSBogus
		switch strings.ToLower(q.Question[0].Name) {
		case "filtered.test.":
			m.Rcode, code = dns.RcodeNameError, dns.ExtendedErrorCodeFiltered
			m.Ns = []dns.RR{&dns.SOA{Hdr: dns.RR_Header{Name: "test.", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 60}, Ns: ".", Mbox: ".", Minttl: 60}}
		case "private.test.":
			code = 50_000 // of no use to anybody else
		}
		m.SetEdns0(1232, false)
		m.IsEdns0().Option = []dns.EDNS0{
			&dns.EDNS0_NSID{Code: dns.EDNS0NSID, Nsid: "00"}, &dns.EDNS0_EDE{InfoCode: code, ExtraText: "\x1b[31m validation failure <example.test. A IN>"},
		}
		assert.NoError(t, w.WriteMsg(m))
	})
	for name, want := range map[string][]uint16{
		"bogus.test.": {dns.ExtendedErrorCodeDNSBogus}, "filtered.test.": {dns.ExtendedErrorCodeFiltered}, "private.test.": nil,
	} {
		before := asked.Load()
		for range 3 { // from the upstream and from the cache
			reply := dnstest.Exchange(t, "udp", addr, dnstest.Question(name, dns.TypeA).SetEdns0(1232, false))
			assert.Equal(t, want, dnstest.EDEs(reply), name)
			assert.NotContains(t, reply.String(), "validation", "texts are not")
			assert.Nil(t, dnstest.Exchange(t, "udp", addr, dnstest.Question(name, dns.TypeA)).IsEdns0(), name)
		}
		assert.LessOrEqual(t, asked.Load()-before, int64(2), "%s: it is kept", name)
	}
}
