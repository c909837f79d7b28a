package dnsfilter_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

func TestStatsOfTheCacheAndOfStaleAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		zone := dnstest.NewZone(t, "*. 60 A 192.0.2.1\n")
		server := dnstest.NewServer(t, dnsfilter.Config{Cache: 1 << 20, Upstream: upstreamFunc(func(ctx context.Context, q *dns.Msg) (*dns.Msg, error) {
			if down.Load() {
				return nil, errors.New("down")
			}
			return zone.Exchange(ctx, q)
		})})
		ask(t, server, "udp", dnstest.Question("a.example.", dns.TypeA))
		before := server.Stats()
		assert.Equal(t, 1, before.Cache.Answers)
		assert.Positive(t, before.Cache.Used)
		assert.Greater(t, before.Cache.Limit, before.Cache.Used)
		assert.EqualValues(t, 1, before.Took.Count)
		down.Store(true)
		time.Sleep(time.Hour)
		ask(t, server, "udp", dnstest.Question("a.example.", dns.TypeA))
		ask(t, server, "udp", dnstest.Question("a.example.", dns.TypeA))
		assert.EqualValues(t, 2, server.Stats().Stale)
		down.Store(false)
		const many = 15_000
		for i := range many {
			ask(t, server, "udp", dnstest.Question(fmt.Sprintf("%d.example.", i), dns.TypeA))
		}
		after := server.Stats().Cache
		assert.Less(t, after.Answers, many)
		assert.EqualValues(t, many+1, uint64(after.Answers)+after.Evicted, "each is there, or was evicted")
		assert.LessOrEqual(t, after.Used, after.Limit)
		server.Flush(".")
		assert.Zero(t, server.Stats().Cache.Answers)
		time.Sleep(10 * time.Second) // timers
	})
}

func TestTimesOfAnswers(t *testing.T) {
	t.Parallel()
	server := dnstest.NewServer(t, dnsfilter.Config{})
	addr, _ := dnstest.Serve(t, server)
	for range 3 {
		dnstest.Exchange(t, "udp", addr, dnstest.Question("www.example.org.", dns.TypeA))
	}
	require.Eventually(t, func() bool { return server.Stats().Took.Count == 3 }, 5*time.Second, time.Millisecond,
		"one that waited, two from the cache; an answer is counted after it was sent")
	took := server.Stats().Took
	assert.Positive(t, took.Sum)
	assert.Less(t, took.Sum, 5*time.Second)
}
