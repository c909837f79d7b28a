package dnsfilter_test

import (
	"fmt"
	"net"
	"net/http"
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
