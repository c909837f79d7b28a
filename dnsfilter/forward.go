package dnsfilter

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// upstreamTimeout is how long an upstream without sessions has for an answer: stub resolvers give up after 5 seconds.
const upstreamTimeout = 4800 * time.Millisecond

// errPanic is the failure of an upstream that panicked.
var errPanic = errors.New("the upstream failed")

// Upstream answers questions about names that are not listed. Exchange is called by many goroutines at once; it ends
// when ctx does. The query has one question, in lower case, and belongs to the callee. Of the answer the rcode, the AD
// bit and the records are used.
type Upstream interface {
	Exchange(ctx context.Context, query *dns.Msg) (*dns.Msg, error)
}

// AsyncUpstream is an [Upstream] that takes packed queries without waiting for their replies. A server asks it by its
// sessions instead of Exchange, so that no question has a goroutine, nor an allocation: one session for each goroutine
// that reads sockets, with the loop that reads them, and one without a loop (nil) for everything else. An
// [upstream.Forwarder] is one.
//
// A type that wraps a Forwarder has to implement NewSession as well: with Exchange alone it is asked in a goroutine for
// each question, and if it embeds the Forwarder and has an Exchange of its own, that one is not called.
type AsyncUpstream interface {
	Upstream

	// NewSession is described at [upstream.Forwarder.NewSession].
	NewSession(loop *upstream.Loop, idle func()) upstream.Session
}

// type check.
var _ AsyncUpstream = (*upstream.Forwarder)(nil)

// reporter is an upstream that knows the state of its resolvers.
type reporter interface {
	Watch(log *slog.Logger)
	Probe()
	Down() (since time.Time, down bool)
	Status() []upstream.Status
}

// type check.
var _ reporter = (*upstream.Forwarder)(nil)

// Upstreams returns the state of the resolvers that the server asks; nothing if the upstream does not say. Those that
// are down, or have never answered, are probed for the next time: no query may ask them by now.
func (s *Server) Upstreams() []upstream.Status {
	u := s.current.Load().reports
	if u == nil {
		return nil
	}
	u.Probe()
	return u.Status()
}

// UpstreamDown reports whether the upstream answers nothing, and since when. One that does not say is assumed to
// answer.
func (s *Server) UpstreamDown() (since time.Time, down bool) {
	u := s.current.Load().reports
	if u == nil {
		return since, false
	}
	return u.Down()
}

// forward asks the upstream and waits for the answer; nil means that nothing is sent.
func (s *Server) forward(c *snapshot, q *query) []byte {
	done := make(chan []byte, 1)
	f, ok := s.attach(q, waiter{done: done})
	if !ok {
		return nil
	}
	if f != nil && f.send(c, c.session) {
		c.session.Flush()
	}
	return <-done
}

// answerOrAsk appends the answer to a query if there is one at once. It reports whether the upstream has to be waited
// for; a new answer in place of one that has expired, or is about to, is asked for in the background.
func (s *Server) answerOrAsk(c *snapshot, dst []byte, q *query) (m []byte, wait bool) {
	m, ask := s.answerNow(c, dst, q, s.cache.Now())
	if !ask || len(m) == 0 {
		return m, ask
	}
	if f, _ := s.attach(q, waiter{}); f != nil && f.send(c, c.session) {
		c.session.Flush()
	}
	return m, false
}

// send asks the upstream: by the session, which is then to be flushed, or in a goroutine if there is none.
func (f *inflight) send(c *snapshot, session upstream.Session) (flush bool) {
	f.begun = time.Now()
	if f.query.hasStale {
		f.serveStaleLater()
	}
	if session == nil {
		f.worker = nil // which would not flush
		go f.exchange(c.upstream)
		return false
	}
	session.Ask(f.query.appendForward(f.packet[:0]), f)
	return true
}

// exchange asks an upstream without sessions.
func (f *inflight) exchange(u Upstream) {
	var reply []byte
	err := errPanic
	defer func() { f.complete(reply, err) }()
	defer f.server.recoverPanic()
	ctx, cancel := context.WithTimeout(context.Background(), upstreamTimeout)
	defer cancel()
	reply, err = exchange(ctx, u, &f.query)
}

// exchange returns the reply of an upstream, packed.
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

// maxForward is the longest query to an upstream, in bytes.
const maxForward = dnswire.HeaderSize + blocklist.MaxName + 4 + dnswire.OPTSize

// forwardMessage returns the query to the upstream: of the client's query it has the question, DO and CD only. AD asks
// whether the answer was validated (RFC 6840, section 5.7).
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

// appendForward appends what forwardMessage returns, packed. The session sets the ID.
func (q *query) appendForward(dst []byte) []byte {
	flags := q.flags&dnswire.FlagCD | dnswire.FlagRD | dnswire.FlagAD
	dst = append(dst, 0, 0, byte(flags>>8), byte(flags), 0, 1, 0, 0, 0, 0, 0, 1)
	return dnswire.AppendOPT(append(dst, q.asked()...), 0, q.do, 0)
}

// failure returns the reply that stands for a failure of the upstream: SERVFAIL, with an extended error in place of the
// ID.
func (q *query) failure(err error) []byte {
	code := failureCode(err) + 1
	m := binary.BigEndian.AppendUint16(make([]byte, 0, dnswire.HeaderSize+len(q.key)), code)
	m = append(m, dnswire.FlagQR>>8, dns.RcodeServerFailure, 0, 1, 0, 0, 0, 0, 0, 0)
	return append(m, q.asked()...)
}

// failureCode tells an upstream that was silent (22, No Reachable Authority) from one that could not be asked (23,
// Network Error).
func failureCode(err error) uint16 {
	if errors.Is(err, context.DeadlineExceeded) {
		return dns.ExtendedErrorCodeNoReachableAuthority
	}
	return dns.ExtendedErrorCodeNetworkError
}

// hideFailure makes SERVFAIL of any failure of an upstream: passed on as it is, REFUSED would say that we refuse the
// client, and FORMERR that its question is malformed.
func hideFailure(reply []byte) {
	if !dnswire.IsFailure(reply) || dnswire.Rcode(reply) == dns.RcodeServerFailure {
		return
	}
	dnswire.SetRcode(reply, dns.RcodeServerFailure)
	if dnswire.Uint16(reply, 0) == 0 {
		binary.BigEndian.PutUint16(reply, dns.ExtendedErrorCodeNoReachableAuthority+1)
	}
}
