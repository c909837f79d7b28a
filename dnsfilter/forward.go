package dnsfilter

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// upstreamTimeout is the time limit for an answer of an upstream without sessions. Stub resolvers give up after 5
// seconds.
const upstreamTimeout = 4800 * time.Millisecond

// errPanic is the failure of an upstream whose Exchange method panicked.
var errPanic = errors.New("the upstream failed")

// Upstreams returns the state of the upstream resolvers, with those of forward zones last. Upstreams that do not report
// their state are left out. The call also sends a probe to each resolver that is down or has never answered, since such
// a resolver may get no queries. The next call shows the outcome.
func (s *Server) Upstreams() (all []upstream.Status) {
	for _, r := range s.current.Load().resolvers() {
		if r.reports == nil {
			continue
		}
		r.reports.Probe()
		for _, status := range r.reports.Status() {
			status.Zone = r.zone
			all = append(all, status)
		}
	}
	return all
}

// UpstreamDown reports whether all resolvers of [Config].Upstream are down, and since when. An upstream that does not
// report its state counts as up.
func (s *Server) UpstreamDown() (since time.Time, down bool) {
	u := s.current.Load().general.reports
	if u == nil {
		return since, false
	}
	return u.Down()
}

// forward asks the upstream, waits, and returns the client's answer. It returns nil if nothing is to be sent.
func (s *Server) forward(c *snapshot, q *query) []byte {
	done := make(chan []byte, 1)
	f, ok := s.attach(q, waiter{done: done})
	if !ok {
		return nil
	}
	if f != nil && f.send(c, c.general.session) {
		c.general.session.Flush()
	}
	return <-done
}

// answerOrAsk appends the answer to a query if it can be given at once. Otherwise wait is true, and the caller has to
// wait for the upstream. If the cached answer has expired or is about to, it starts a refresh in the background.
func (s *Server) answerOrAsk(c *snapshot, dst []byte, q *query) (m []byte, wait bool) {
	m, ask := s.answerNow(c, dst, q, s.cache.Now())
	if !ask || len(m) == 0 {
		return m, ask
	}
	if f, _ := s.attach(q, waiter{}); f != nil && f.send(c, c.general.session) {
		c.general.session.Flush()
	}
	return m, false
}

// send sends the query to its upstream, over a session or, if there is none, in a new goroutine. The argument session
// is that of the general upstream, or nil. The result reports whether the caller has to flush that session.
func (f *inflight) send(c *snapshot, session upstream.Session) (flush bool) {
	f.begun = time.Now()
	if f.query.hasStale {
		f.serveStaleLater()
	}
	to := c.resolversFor(&f.query)
	if to != c.general {
		session = to.session
	}
	if session == nil || to != c.general {
		f.worker = nil // it does not read this session's replies
	}
	if session == nil {
		go f.exchange(to.upstream)
		return false
	}
	session.Ask(f.query.appendForward(f.packet[:0]), f)
	if to != c.general {
		session.Flush()
	}
	return to == c.general
}

// exchange asks an upstream that has no sessions.
func (f *inflight) exchange(u Upstream) {
	var reply []byte
	err := errPanic
	defer func() { f.complete(reply, err) }()
	defer f.server.recoverPanic()
	ctx, cancel := context.WithTimeout(context.Background(), upstreamTimeout)
	defer cancel()
	reply, err = exchange(ctx, u, &f.query)
}

// exchange returns the packed reply of an upstream.
func exchange(ctx context.Context, u Upstream, q *query) ([]byte, error) {
	m, err := q.forwardMessage()
	if err != nil {
		return nil, err
	}
	asked := slices.Clone(m.Question)
	reply, err := u.Exchange(ctx, m)
	if err != nil {
		return nil, err
	}
	return packReply(asked, reply)
}

// forwardMessage returns the query that is sent to the upstream. It copies only the question and the bits DO and CD
// from the client's query. The AD bit requests the validation status (RFC 6840, section 5.7).
func (q *query) forwardMessage() (*dns.Msg, error) {
	name, _, err := dns.UnpackDomainName(q.name(), 0)
	if err != nil {
		return nil, err
	}
	m := new(dns.Msg)
	m.SetQuestion(name, q.qtype)
	m.AuthenticatedData, m.CheckingDisabled = true, q.flags&dnswire.FlagCD != 0
	return m.SetEdns0(dnswire.UDPSize, q.do), nil
}

// appendForward appends the query of forwardMessage in wire form. The session sets the ID.
func (q *query) appendForward(dst []byte) []byte {
	flags := q.flags&dnswire.FlagCD | dnswire.FlagRD | dnswire.FlagAD
	dst = append(dst, 0, 0, byte(flags>>8), byte(flags), 0, 1, 0, 0, 0, 0, 0, 1)
	return dnswire.AppendOPT(append(dst, q.asked()...), 0, q.do, 0)
}
