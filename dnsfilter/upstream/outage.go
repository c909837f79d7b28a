package upstream

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"syscall"
	"time"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

const (
	probeTimeout = 500 * time.Millisecond // timeout of the first attempt of a probe; the second has twice that
	probeEvery   = 2 * time.Second        // minimum time between two probes to one resolver
)

// outage is the state of a resolver that is down: the time at which it went down, and the error that showed it. Any
// reply ends the outage.
type outage struct {
	since time.Time
	cause error
}

// isDown reports whether the resolver is known to be down: a probe or a TLS connection has failed, and no reply has
// come since.
func (r *resolver) isDown() bool { return r.outage.Load() != nil }

// Watch sets the log for changes between up and down. Each change is logged as one warning. If a resolver goes down,
// the warning has the reason.
func (f *Forwarder) Watch(log *slog.Logger) { f.log.Store(log) }

// warn logs a warning about a resolver. It logs from another goroutine, since the pool is locked.
func (f *Forwarder) warn(r *resolver, message string, more ...any) {
	if log := f.log.Load(); log != nil {
		go log.Warn(message, append([]any{slog.String("upstream", r.at.String())}, more...)...)
	}
}

// markDown records that a resolver is down, and logs it with the reason.
func (f *Forwarder) markDown(r *resolver, cause error, now time.Time) {
	if r.outage.CompareAndSwap(nil, &outage{now, cause}) {
		f.warn(r, "upstream down", slog.String("reason", reason(cause)))
	}
}

// markUp records that a resolver has replied. It logs the end of an outage.
func (f *Forwarder) markUp(r *resolver, now time.Time) {
	if o := r.outage.Load(); o != nil && r.outage.CompareAndSwap(o, nil) {
		f.warn(r, "upstream up again", slog.Duration("after", now.Sub(o.since).Round(time.Millisecond)))
	}
}

// Down reports whether all resolvers are down, and since when.
func (f *Forwarder) Down() (since time.Time, down bool) {
	for i := range f.resolvers {
		o := f.resolvers[i].outage.Load()
		if o == nil {
			return time.Time{}, false
		}
		if o.since.After(since) {
			since = o.since
		}
	}
	return since, true
}

// Probe sends a probe to each resolver that is down or has never answered. It does not wait for the replies: call
// [Forwarder.Status] later.
func (f *Forwarder) Probe() {
	f.shared.mu.Lock()
	defer f.shared.mu.Unlock()
	now := f.now()
	for i := range f.resolvers {
		if r := &f.resolvers[i]; r.isDown() || r.heard.Load() == 0 {
			f.shared.probe(i, now)
		}
	}
	f.shared.flush()
}

// probe sends a probe to a resolver: a query for the name servers of the root, which every resolver can answer. It does
// nothing if the last probe was less than probeEvery ago.
func (p *pool) probe(resolver int, now time.Time) {
	r := &p.f.resolvers[resolver]
	if last := r.probed.Load(); now.UnixNano()-last < int64(probeEvery) || !r.probed.CompareAndSwap(last, now.UnixNano()) {
		return
	}
	q := p.newQuery(rootQuery(), &probe{p.f, r})
	q.only = r
	p.ask(q, resolver, now)
	q.timeout = probeTimeout
	q.next = now.Add(q.timeout)
	p.startTicking()
}

// rootQuery returns a query for the name servers of the root.
func rootQuery() []byte {
	m := make([]byte, dnswire.HeaderSize, dnswire.HeaderSize+5)
	dnswire.SetFlags(m, dnswire.FlagRD)
	dnswire.SetCount(m, dnswire.Question, 1)
	return append(m, 0, 0, byte(dns.TypeNS), 0, byte(dns.ClassINET))
}

// probe is the [Receiver] of the reply to a probe.
type probe struct {
	f *Forwarder
	r *resolver
}

// Accept implements [Receiver]. It accepts any reply.
func (p *probe) Accept([]byte) bool { return true }

// Answer implements [Receiver]. After an error, it marks the resolver as down.
func (p *probe) Answer(_ []byte, err error) {
	if err != nil {
		p.f.markDown(p.r, err, p.f.now())
	}
}

// reason returns the text for an error of a resolver, with advice on what to do.
func reason(cause error) string {
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	switch {
	case errors.Is(cause, context.DeadlineExceeded):
		return "it does not answer"
	case errors.Is(cause, syscall.ECONNREFUSED):
		return "connection refused: nothing listens there"
	case errors.As(cause, &name):
		return fmt.Sprintf("its certificate is for another name: %v; write the name on it behind # in the setting upstream",
			cause)
	case errors.As(cause, &unknown):
		return fmt.Sprintf("its certificate is not trusted: %v; the environment variable SSL_CERT_FILE names a file with the roots of a private authority", cause)
	case errors.As(cause, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Sprintf("its certificate is not valid now: %v; is the clock right?", cause)
	}
	return cause.Error()
}
