package service

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/argine-dns/argine/dnsfilter"
)

func TestHistory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Uint64
		n.Store(100) // of before
		h := newHistory()
		stats := func() dnsfilter.Stats {
			return dnsfilter.Stats{Lists: map[string]map[dnsfilter.Action]uint64{"l": {dnsfilter.NXDomain: n.Load()}}}
		}
		go h.run(t.Context(), stats)
		synctest.Wait()
		for range 3 * historyMinutes / 2 {
			n.Add(2)
			time.Sleep(time.Minute)
			synctest.Wait()
		}
		n.Add(5)
		time.Sleep(time.Minute)
		synctest.Wait()
		kinds := h.kinds()
		assert.Equal(t, []decisionKind{{"l", dnsfilter.NXDomain}}, kinds)
		hour, day := h.sums(kinds[0], 60, 1), h.sums(kinds[0], 96, 15)
		assert.Equal(t, []uint64{2, 2, 5}, hour[57:])
		assert.Equal(t, []uint64{30, 30, 33}, day[93:])
		assert.Equal(t, uint64(30), day[0])
	})
}

func TestHistoryOfAFewMinutes(t *testing.T) {
	t.Parallel()
	h := newHistory()
	for n := range uint64(3) {
		h.record(map[string]map[dnsfilter.Action]uint64{"l": {dnsfilter.Drop: n + 1}})
	}
	assert.Equal(t, []uint64{0, 1, 1, 1}, h.sums(decisionKind{"l", dnsfilter.Drop}, 4, 1))
}

func TestBars(t *testing.T) {
	t.Parallel()
	b := newBars([]uint64{0, 10, 1_000_000, 500_000}, "minute")
	want := bars{Total: 1_500_010, Peak: 1_000_000, Unit: "minute", Width: 16, Path: "M4 40v-1.0h3V40zM8 40v-40.0h3V40zM12 40v-20.0h3V40z"}
	assert.Equal(t, want, b)
	assert.Empty(t, newBars([]uint64{0, 0}, "minute").Path)
	assert.Equal(t, "1\u202f500\u202f010", number(b.Total))
	assert.Equal(t, "999", number(999))
	now := time.Now()
	for ahead, want := range map[time.Duration]string{-time.Second: "1 s ago", -3 * time.Minute: "3 min ago", 5 * time.Hour: "in 5 h", -72 * time.Hour: "3 days ago"} {
		assert.Equal(t, want, ago(now.Add(ahead), now))
	}
}

func TestLocalHosts(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"127.0.0.1:8053": true, "127.0.0.1": true, "[::1]:8053": true, "[::1]": true, "localhost:8053": true, "192.0.2.1:8053": true,
		"rebound.example": false, "rebound.example:8053": false, "localhost.example": false, "": false,
	} {
		assert.Equal(t, want, isLocalHost(host), host)
	}
}
