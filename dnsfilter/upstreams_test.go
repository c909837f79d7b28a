package dnsfilter_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter"
)

func TestResolversInMetrics(t *testing.T) {
	t.Parallel()
	s, addr := forwarding(t, func(w dns.ResponseWriter, q *dns.Msg) { assert.NoError(t, w.WriteMsg(new(dns.Msg).SetReply(q))) })
	for i := range 3 {
		exchange(t, "udp", addr, question(fmt.Sprintf("n%d.test.", i), dns.TypeA))
	}
	got := metrics(t, s)
	assert.Regexp(t, `dnsfilter_upstream_queries_total\{upstream="127.0.0.1:\d+"\} 3\n`, got)
	assert.Regexp(t, `dnsfilter_upstream_late_total\{upstream="127.0.0.1:\d+"\} 0\n`, got)
	assert.Regexp(t, `dnsfilter_upstream_misspelled_total\{upstream="127.0.0.1:\d+"\} 0\n`, got)
	assert.Regexp(t, `dnsfilter_upstream_up\{upstream="127.0.0.1:\d+"\} 1\n`, got)
	assert.Regexp(t, `dnsfilter_upstream_plain_spelling\{upstream="127.0.0.1:\d+"\} 0\n`, got)
	assert.Regexp(t, `dnsfilter_upstream_answer_duration_seconds_bucket\{upstream="127.0.0.1:\d+",le="5"\} 3\n`, got)
	assert.Regexp(t, `dnsfilter_upstream_answer_duration_seconds_count\{upstream="127.0.0.1:\d+"\} 3\n`, got)
}

func TestStatusOfTheWire(t *testing.T) {
	t.Parallel()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	at := free.Addr().String()
	require.NoError(t, free.Close())
	r := newFolder(t, "pprof: "+at+"\n")
	r.start(t)
	exchange(t, "tcp", r.addr, question("example.org.", dns.TypeA))
	status, err := dnsfilter.NewControl(r.dir + "/state").Status(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, 1, status.Answers["tcp"]["NOERROR"])
	require.Len(t, status.Upstreams, 1)
	assert.EqualValues(t, 1, status.Upstreams[0].Answered)
	assert.Positive(t, status.Upstreams[0].Delay)
	require.Eventually(t, func() bool { // it is opened beside the other listeners
		resp, err := http.Get("http://" + at + "/debug/pprof/goroutine?debug=1")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}, 5*time.Second, 10*time.Millisecond)
}

// TestRandomSpellingStaysUpstream has a resolver that writes every owner out, in the spelling that it was asked in.
func TestRandomSpellingStaysUpstream(t *testing.T) {
	t.Parallel()
	var asked atomic.Value
	_, addr := forwarding(t, func(w dns.ResponseWriter, q *dns.Msg) {
		name := q.Question[0].Name
		asked.Store(name)
		m := new(dns.Msg).SetReply(q)
		_, above, _ := strings.Cut(name, ".")
		if q.Question[0].Qtype == dns.TypeA {
			m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.IPv4(192, 0, 2, 1)}}
		} else {
			m.Ns = []dns.RR{&dns.SOA{Hdr: dns.RR_Header{Name: above, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 60}, Ns: "Ns.Example.", Mbox: ".", Minttl: 60}}
		}
		assert.NoError(t, w.WriteMsg(m))
	})
	const long = "A-Name-with.Letters-enough-to-tell.example.com."
	for _, name := range []string{long, strings.ToLower(long), strings.ToUpper(long)} { // the last ones from the cache
		reply := exchange(t, "udp", addr, question(name, dns.TypeA))
		require.Len(t, reply.Answer, 1)
		assert.Equal(t, name, reply.Question[0].Name)
		assert.Equal(t, name, reply.Answer[0].Header().Name)
		reply = exchange(t, "udp", addr, question(name, dns.TypeTXT))
		require.Len(t, reply.Ns, 1)
		assert.Equal(t, "letters-enough-to-tell.example.com.", strings.ToLower(reply.Ns[0].Header().Name))
		assert.Equal(t, "Ns.Example.", reply.Ns[0].(*dns.SOA).Ns, "as it is written in the zone")
	}
	assert.NotEqual(t, strings.ToLower(long), asked.Load())
}

// TestReadyKnowsTheUpstream has a service in front of a resolver that is away, and that nobody asks for anything but its health.
func TestReadyKnowsTheUpstream(t *testing.T) {
	t.Parallel()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	at := conn.LocalAddr().String()
	require.NoError(t, conn.Close())
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	metricsAt := free.Addr().String()
	require.NoError(t, free.Close())
	r := newFolder(t, "")
	r.write(t, "head.yaml", fmt.Sprintf("listen: [udp://%s, tcp://%s]\nupstream: [%s]\nstate: state\n", r.addr, r.addr, at))
	r.settings(t, "metrics: "+metricsAt+"\n")
	r.start(t)
	ready := func(code int, text string) {
		require.Eventually(t, func() bool {
			resp, err := http.Get("http://" + metricsAt + "/readyz")
			if err != nil {
				return false
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			return err == nil && resp.StatusCode == code && string(body) == text
		}, 20*time.Second, 100*time.Millisecond, text)
	}
	ready(http.StatusServiceUnavailable, "not ready\nupstream "+at+": connection refused: nothing listens there\n\n")
	assert.Equal(t, 1, strings.Count(r.log.String(), "upstream down"))
	status, err := dnsfilter.NewControl(r.dir + "/state").Status(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "connection refused: nothing listens there", status.Upstreams[0].Reason)
	conn, err = net.ListenPacket("udp", at)
	require.NoError(t, err)
	d := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) { _ = w.WriteMsg(new(dns.Msg).SetReply(q)) })}
	go func() { assert.NoError(t, d.ActivateAndServe()) }()
	t.Cleanup(func() { assert.NoError(t, d.Shutdown()) })
	ready(http.StatusOK, "ready\n")
	assert.Equal(t, 1, strings.Count(r.log.String(), "upstream up again"))
}
