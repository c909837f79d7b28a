package service_test

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
	"github.com/argine-dns/argine/dnsfilter/service"
	"github.com/argine-dns/argine/dnsfilter/upstream"
	"github.com/argine-dns/argine/testdata/freeport"
)

func TestResolversInMetrics(t *testing.T) {
	t.Parallel()
	s, addr := forwarding(t, func(w dns.ResponseWriter, q *dns.Msg) { assert.NoError(t, w.WriteMsg(new(dns.Msg).SetReply(q))) })
	for i := range 3 {
		dnstest.Exchange(t, "udp", addr, dnstest.Question(fmt.Sprintf("n%d.test.", i), dns.TypeA))
	}
	got := metrics(t, s, nil)
	assert.Regexp(t, `dnsfilter_upstream_queries_total\{upstream="127.0.0.1:\d+"\} 3\n`, got)
	assert.Regexp(t, `dnsfilter_upstream_late_total\{upstream="127.0.0.1:\d+"\} 0\n`, got)
	assert.Regexp(t, `dnsfilter_upstream_case_mismatch_total\{upstream="127.0.0.1:\d+"\} 0\n`, got)
	assert.Regexp(t, `dnsfilter_upstream_up\{upstream="127.0.0.1:\d+"\} 1\n`, got)
	assert.Regexp(t, `dnsfilter_upstream_case_disabled\{upstream="127.0.0.1:\d+"\} 0\n`, got)
	assert.Regexp(t, `dnsfilter_upstream_answer_duration_seconds_bucket\{upstream="127.0.0.1:\d+",le="5"\} 3\n`, got)
	assert.Regexp(t, `dnsfilter_upstream_answer_duration_seconds_count\{upstream="127.0.0.1:\d+"\} 3\n`, got)
}

func TestStatusOfTheWire(t *testing.T) {
	t.Parallel()
	at := freeport.Addr(t)
	r := newFolder(t, "pprof: "+at+"\n")
	r.start(t)
	dnstest.Exchange(t, "tcp", r.addr, dnstest.Question("example.org.", dns.TypeA))
	status, err := service.NewControl(r.dir + "/state").Status(t.Context())
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
	}, time.Minute, 10*time.Millisecond)
}

// TestReadyKnowsTheUpstream has a service in front of a resolver that is away, and that no one asks for anything but
// its health.
func TestReadyKnowsTheUpstream(t *testing.T) {
	t.Parallel()
	at := freeport.Addr(t)
	metricsAt := freeport.Addr(t)
	r := newFolder(t, "")
	r.write(t, "head.yaml", fmt.Sprintf("listen: [udp://%s, tcp://%s]\nupstream: [%s]\nstate: state\n", r.addr, r.addr, at))
	r.settings(t, "metrics: "+metricsAt+"\n")
	s, err := service.New(r.read, slog.New(slog.NewTextHandler(r.log, nil)))
	require.NoError(t, err)
	s.LimitOutage(500 * time.Millisecond)
	r.run(t, s)
	ready := func(code int, text string) {
		require.Eventually(t, func() bool {
			resp, err := http.Get("http://" + metricsAt + "/readyz")
			if err != nil {
				return false
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			return err == nil && resp.StatusCode == code && string(body) == text
		}, time.Minute, 100*time.Millisecond, text)
	}
	ready(http.StatusServiceUnavailable, "not ready\nupstream "+at+": connection refused: nothing listens there\n\n")
	assert.Equal(t, 1, strings.Count(r.log.String(), "upstream down"))
	status, err := service.NewControl(r.dir + "/state").Status(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "connection refused: nothing listens there", status.Upstreams[0].Reason)
	conn, err := net.ListenPacket("udp", at)
	require.NoError(t, err)
	d := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) { _ = w.WriteMsg(new(dns.Msg).SetReply(q)) })}
	go func() { assert.NoError(t, d.ActivateAndServe()) }()
	t.Cleanup(func() { assert.NoError(t, d.Shutdown()) })
	ready(http.StatusOK, "ready\n")
	assert.Equal(t, 1, strings.Count(r.log.String(), "upstream up again"))
}

// forwarding is a server in front of a resolver on loopback that answers with handle.
func forwarding(t *testing.T, handle dns.HandlerFunc) (s *dnsfilter.Server, addr string) {
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
	s = dnstest.NewServer(t, dnsfilter.Config{Upstream: f})
	addr, _ = dnstest.Serve(t, s)
	return s, addr
}
