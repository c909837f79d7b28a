package dnsfilter_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/internal/dnstest"
)

func TestHowLongExpiredAnswersAreUsed(t *testing.T) {
	t.Parallel()
	const stale, failed = dns.RcodeSuccess, dns.RcodeServerFailure
	for _, c := range []struct {
		name  string
		stale dnsfilter.Stale
		after time.Duration // of the expiry
		want  int
	}{
		{"as a default", dnsfilter.Stale{}, 23 * time.Hour, stale},
		{"not for longer", dnsfilter.Stale{}, 25 * time.Hour, failed},
		{"off", dnsfilter.Stale{Off: true}, time.Second, failed},
		{"shorter", dnsfilter.Stale{Max: time.Minute}, 30 * time.Second, stale},
		{"shorter, and over", dnsfilter.Stale{Max: time.Minute}, 90 * time.Second, failed},
		{"longer", dnsfilter.Stale{Max: dnsfilter.MaxStale}, 6 * 24 * time.Hour, stale},
	} {
		synctest.Test(t, func(t *testing.T) {
			var down atomic.Bool
			zone := dnstest.NewZone(t, "a.example. 60 A 192.0.2.1\n")
			up := upstreamFunc(func(ctx context.Context, q *dns.Msg) (*dns.Msg, error) {
				if down.Load() {
					return nil, errors.New("down")
				}
				return zone.Exchange(ctx, q)
			})
			server := dnstest.NewServer(t, dnsfilter.Config{Upstream: up, Stale: c.stale})
			ask(t, server, "udp", dnstest.Question("a.example.", dns.TypeA))
			down.Store(true)
			time.Sleep(time.Minute + c.after)
			assert.Equal(t, c.want, ask(t, server, "udp", dnstest.Question("a.example.", dns.TypeA)).Rcode, c.name)
			time.Sleep(10 * time.Second) // timers
		})
	}
	_, err := dnsfilter.New(dnsfilter.Config{Upstream: dnstest.NewZone(t, ""), Stale: dnsfilter.Stale{Max: -1}})
	assert.ErrorIs(t, err, blocklist.ErrMalformed)
}
