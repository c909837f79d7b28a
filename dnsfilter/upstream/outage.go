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
)

const (
	probeFirst = 500 * time.Millisecond // a probe is sent again after that, and has failed after three times that
	probeAgain = 2 * time.Second        // between two probes of one resolver
)

// outage is that a resolver can't be asked: it does not even answer a probe. It ends with the first reply of any kind.
type outage struct {
	since time.Time
	why   error
}

// isDown reports whether the resolver is known not to answer anything.
func (r *resolver) isDown() bool { return r.outage.Load() != nil }

// Watch has changes of the resolvers' state logged: as a warning, once a change, with the reason.
func (f *Forwarder) Watch(log *slog.Logger) { f.log.Store(log) }

// warn logs in the background, since lanes are locked.
func (f *Forwarder) warn(r *resolver, message string, more ...any) {
	if log := f.log.Load(); log != nil {
		go log.Warn(message, append([]any{slog.String("upstream", r.at.String())}, more...)...)
	}
}

// fell notes that a resolver can't be asked.
func (f *Forwarder) fell(r *resolver, why error, now time.Time) {
	if r.outage.CompareAndSwap(nil, &outage{now, why}) {
		f.warn(r, "upstream down", slog.String("reason", reason(why)))
	}
}

// rose notes that a resolver has answered.
func (f *Forwarder) rose(r *resolver, now time.Time) {
	if o := r.outage.Load(); o != nil && r.outage.CompareAndSwap(o, nil) {
		f.warn(r, "upstream up again", slog.Duration("after", now.Sub(o.since).Round(time.Millisecond)))
	}
}

// Down returns since when no resolver answers anything; false if one does.
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

// Probe asks the resolvers that are down, or have never answered, whether they are there. It does not wait: [Forwarder.Status]
// tells later.
func (f *Forwarder) Probe() {
	f.lane.mu.Lock()
	defer f.lane.mu.Unlock()
	now := time.Now()
	for i := range f.resolvers {
		if r := &f.resolvers[i]; r.isDown() || r.heard.Load() == 0 {
			f.lane.probe(i, now)
		}
	}
	f.lane.flush()
}

// probe asks a resolver what every resolver can answer, unless that was done a moment ago.
func (l *Lane) probe(resolver int, now time.Time) {
	r := &l.f.resolvers[resolver]
	if last := r.probed.Load(); now.UnixNano()-last < int64(probeAgain) || !r.probed.CompareAndSwap(last, now.UnixNano()) {
		return
	}
	e := l.newExchange(rootQuery(), &probe{l.f, r})
	e.only = r
	l.try(e, resolver, now)
	e.wait = probeFirst
	e.next = now.Add(e.wait)
	l.keepTicking()
}

// rootQuery returns a query for the name servers of the root.
func rootQuery() []byte {
	return append(make([]byte, 0, headerSize+5), 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, byte(dns.TypeNS), 0, byte(dns.ClassINET))
}

// probe is the [Receiver] of a probe.
type probe struct {
	f *Forwarder
	r *resolver
}

// Accept implements [Receiver].
func (p *probe) Accept([]byte) bool { return true }

// Answer implements [Receiver].
func (p *probe) Answer(_ []byte, err error) {
	if err != nil {
		p.f.fell(p.r, err, time.Now())
	}
}

// reason says why a resolver can't be asked, and what may help.
func reason(why error) string {
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	switch {
	case errors.Is(why, context.DeadlineExceeded):
		return "it does not answer"
	case errors.Is(why, syscall.ECONNREFUSED):
		return "connection refused: nothing listens there"
	case errors.As(why, &name):
		return fmt.Sprintf("its certificate is for another name: %v; write the name on it behind # in the setting upstream", why)
	case errors.As(why, &unknown):
		return fmt.Sprintf("its certificate is not trusted: %v; the environment variable SSL_CERT_FILE names a file with the roots of a private authority", why)
	case errors.As(why, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Sprintf("its certificate is not valid now: %v; is the clock right?", why)
	}
	return why.Error()
}
