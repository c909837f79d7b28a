package upstream_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// TestUnusableRepliesAskTheNext has a first resolver whose replies are of no use, each in another way.
func TestUnusableRepliesAskTheNext(t *testing.T) {
	t.Parallel()
	for how, handle := range map[string]func(string, dns.ResponseWriter, *dns.Msg){
		"malformed": func(_ string, w dns.ResponseWriter, q *dns.Msg) {
			m, _ := reply(q, dns.RcodeSuccess, "192.0.2.66").Pack()
			_, _ = w.Write(m[:len(m)-2])
		},
		"cut over TCP, too": func(_ string, w dns.ResponseWriter, q *dns.Msg) {
			m := reply(q, dns.RcodeSuccess, "")
			m.Truncated = true
			_ = w.WriteMsg(m)
		},
		"closed over TCP": func(network string, w dns.ResponseWriter, q *dns.Msg) {
			if network == "tcp" {
				_ = w.Close()
				return
			}
			m := reply(q, dns.RcodeSuccess, "")
			m.Truncated = true
			_ = w.WriteMsg(m)
		},
		"refused without a question": func(_ string, w dns.ResponseWriter, q *dns.Msg) {
			m := reply(q, dns.RcodeRefused, "")
			m.Question = nil
			_ = w.WriteMsg(m)
		},
	} {
		f := newForwarder(t, newFake(t, handle), newFake(t, answering("192.0.2.1")))
		begin := time.Now()
		requireAnswer(t, f, "192.0.2.1")
		assert.Less(t, time.Since(begin), time.Second, how)
	}
}

func TestTheLastOfManyIsAsked(t *testing.T) {
	t.Parallel()
	var all []*fake
	for range 5 {
		all = append(all, newFake(t, failing(dns.RcodeRefused)))
	}
	requireAnswer(t, newForwarder(t, append(all, newFake(t, answering("192.0.2.1")))...), "192.0.2.1")
}

// TestSlowAnswerBehindARefusal has a resolver that refuses, and one that takes its time.
func TestSlowAnswerBehindARefusal(t *testing.T) {
	t.Parallel()
	f := newForwarder(t, newFake(t, failing(dns.RcodeRefused)), newFake(t, func(_ string, w dns.ResponseWriter, q *dns.Msg) {
		time.Sleep(2500 * time.Millisecond / hurry)
		_ = w.WriteMsg(reply(q, dns.RcodeSuccess, "192.0.2.1"))
	}))
	f.Hurry(t, hurry)
	requireAnswer(t, f, "192.0.2.1")
}

// TestStubsHearOfFailures has resolvers that are silent: the end comes before clients give up.
func TestStubsHearOfFailures(t *testing.T) {
	t.Parallel()
	f := newForwarder(t, newFake(t, func(_ string, w dns.ResponseWriter, q *dns.Msg) {
		if q.Question[0].Name == "." {
			_ = w.WriteMsg(reply(q, dns.RcodeSuccess, "")) // it is there, and finds nothing
		}
	}), newFake(t, silent))
	now := f.Hurry(t, hurry)
	begin := now()
	_, err := ask(t, f)
	require.Error(t, err)
	took := now().Sub(begin)
	assert.Less(t, took, 5*time.Second)
	assert.Greater(t, took, 4500*time.Millisecond)
}

// TestConnectionThatDied has a connection that is silent after its first reply, as behind a firewall that has forgotten
// it.
func TestConnectionThatDied(t *testing.T) {
	t.Parallel()
	var first atomic.Pointer[dns.Conn]
	var n atomic.Int64
	s, at := newTLS(t, func(c *dns.Conn, packed []byte) bool {
		if first.CompareAndSwap(nil, c); c != first.Load() || n.Add(1) == 1 {
			respond(c, packed)
		}
		return true
	})
	f, err := upstream.New(at)
	require.NoError(t, err)
	for i := range 4 {
		begin := time.Now()
		m, err := exchange(t, f, "example.org.")
		require.NoError(t, err)
		assert.Len(t, m.Answer, 1)
		if i != 1 {
			assert.Less(t, time.Since(begin), 2*time.Second, "a new connection is asked at once")
		}
	}
	assert.EqualValues(t, 2, s.conns.Load())
}

// TestGuessesAreMetOverTCP has somebody send forged replies, with ids that are no longer or never were in use.
func TestGuessesAreMetOverTCP(t *testing.T) {
	t.Parallel()
	resolver := newFake(t, func(network string, w dns.ResponseWriter, q *dns.Msg) {
		if network == "tcp" {
			_ = w.WriteMsg(reply(q, dns.RcodeSuccess, "192.0.2.1"))
			return
		}
		forged := reply(q, dns.RcodeSuccess, "192.0.2.66")
		for range 500 {
			forged.Id++
			_ = w.WriteMsg(forged)
		}
	})
	begin := time.Now()
	requireAnswer(t, newForwarder(t, resolver), "192.0.2.1")
	assert.Less(t, time.Since(begin), time.Second)
	assert.EqualValues(t, 1, resolver.tcp.Load())
}
