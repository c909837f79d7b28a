package rpz

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// Limits of the notifications of one secondary. Each attempt waits twice as long for an answer as the one before.
const (
	notifyTimeout  = time.Second
	notifyAttempts = 6 // about a minute in all
)

// notify sends a NOTIFY message (RFC 1996) to all secondaries, repeatedly, until each has confirmed it or has used up
// its attempts, or until ctx ends.
func (z *Zone) notify(ctx context.Context, s *snapshot) {
	var all sync.WaitGroup
	for _, to := range z.config.Load().Notify {
		all.Go(func() {
			err := z.notifyOne(ctx, s, to)
			switch {
			case err == nil:
				z.count(func(n *counts) { n.Notified++ })
			case ctx.Err() == nil:
				z.count(func(n *counts) { n.NotifyFailures++ })
				z.log().Warn("a secondary does not confirm that the zone has changed; it asks by itself within a minute",
					slog.Any("secondary", to), slog.Any("error", err))
			}
		})
	}
	all.Wait()
}

// notifyOne notifies one secondary. It tries notifyAttempts times at most, until the secondary confirms.
func (z *Zone) notifyOne(ctx context.Context, s *snapshot, to netip.AddrPort) (err error) {
	timeout := notifyTimeout
	for range notifyAttempts {
		if err = z.sendNotify(ctx, s, to, timeout); err == nil || ctx.Err() != nil {
			return err
		}
		timeout *= 2
	}
	return err
}

// sendNotify sends one NOTIFY message. It returns at once after a confirmation. After an error, which may be a refusal,
// it returns when the timeout has passed.
func (z *Zone) sendNotify(ctx context.Context, s *snapshot, to netip.AddrPort, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	m := new(dns.Msg).SetNotify(dns.Fqdn(z.name.String()))
	if rr, _, err := dns.UnpackRR(append([]byte(z.name), soa(s.Serial)...), 0); err == nil {
		m.Answer = []dns.RR{rr}
	}
	client := dns.Client{Timeout: timeout}
	if keys := z.config.Load().Keys; len(keys) > 0 {
		k := &keys[0]
		name := dns.Fqdn(k.name.String())
		client.TsigSecret = map[string]string{name: k.secret}
		m.SetTsig(name, k.algorithm, fudge, time.Now().Unix())
	}
	reply, _, err := client.ExchangeContext(ctx, m, to.String())
	if err == nil && reply.Rcode != dns.RcodeSuccess {
		err = fmt.Errorf("the answer is %s", dns.RcodeToString[reply.Rcode])
	}
	if err != nil {
		<-ctx.Done() // the port may be closed for a moment only
	}
	return err
}
