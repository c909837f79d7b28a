package dnsfilter

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// upstreamTimeout is the time limit for an answer of an upstream without sessions. Stub resolvers give up after 5
// seconds.
const upstreamTimeout = 4800 * time.Millisecond

// errPanic is the error for an upstream that panicked.
var errPanic = errors.New("the upstream failed")

// Upstream resolves names that are not listed. Exchange is called by many goroutines at once and returns when ctx ends.
// The query has one question, in lower case, and belongs to the callee. Of the answer, the rcode, the AD bit and the
// records are used.
type Upstream interface {
	Exchange(ctx context.Context, query *dns.Msg) (*dns.Msg, error)
}

// AsyncUpstream is an [Upstream] that takes packed queries without waiting for their replies. A server uses its
// sessions instead of Exchange, so a query needs neither a goroutine nor an allocation. The server opens one session
// for each goroutine that reads sockets, with that goroutine's loop. One more session without a loop (nil) serves
// everything else. [upstream.Forwarder] implements it.
//
// A type that wraps a Forwarder has to implement NewSession as well. With Exchange alone, each query takes a goroutine.
// If the type embeds the Forwarder, the server calls the embedded NewSession and never the type's own Exchange.
type AsyncUpstream interface {
	Upstream

	// NewSession is described at [upstream.Forwarder.NewSession].
	NewSession(loop *upstream.Loop, idle func()) upstream.Session
}

// type check.
var _ AsyncUpstream = (*upstream.Forwarder)(nil)

// reporter is an upstream that reports the state of its resolvers.
type reporter interface {
	Watch(log *slog.Logger)
	Tap(see func(upstream.Message))
	Probe()
	Down() (since time.Time, down bool)
	Status() []upstream.Status
}

// type check.
var _ reporter = (*upstream.Forwarder)(nil)

// resolvers is an upstream as the server uses it.
type resolvers struct {
	upstream Upstream
	session  upstream.Session // for goroutines without a session of their own; nil if the upstream is not async
	reports  reporter         // nil if the upstream does not report the state of its resolvers
	zone     string           // empty: the general upstream
}

func newResolvers(u Upstream, zone string) *resolvers {
	r := &resolvers{upstream: u, zone: zone}
	r.reports, _ = u.(reporter)
	if a, ok := u.(AsyncUpstream); ok {
		r.session = a.NewSession(nil, nil)
	}
	return r
}

// isDown reports whether all of the resolvers are down. Then clients get an expired answer without waiting, if there is
// one.
func (r *resolvers) isDown() bool {
	if r.reports == nil {
		return false
	}
	_, down := r.reports.Down()
	return down
}

// resolvers returns the general upstream and those of the forward zones, in the order of the zones' names.
func (c *snapshot) resolvers() []*resolvers {
	all := []*resolvers{c.general}
	for _, name := range slices.Sorted(maps.Keys(c.zones.by)) {
		if r := c.zones.by[name].forward; r != nil {
			all = append(all, r)
		}
	}
	return all
}

// resolversFor returns the upstream to ask for a query, after the zone of its name was looked up.
func (c *snapshot) resolversFor(q *query) *resolvers {
	if q.resolvers != nil {
		return q.resolvers
	}
	return c.general
}

// Upstreams returns the state of the upstream resolvers, those of forward zones last. It is empty if the upstreams do
// not report it. It also sends a probe to each resolver that is down or has never answered: no queries may go to it at
// present, so its state would not change. The next call shows the outcome.
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

// UpstreamDown reports whether all resolvers of the general upstream are down, and since when. An upstream that does
// not report its state counts as up.
func (s *Server) UpstreamDown() (since time.Time, down bool) {
	u := s.current.Load().general.reports
	if u == nil {
		return since, false
	}
	return u.Down()
}

// forward asks the upstream and waits for the answer. It returns nil if nothing is to be sent.
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

// answerOrAsk appends the answer to a query if it can be given at once. Otherwise it returns wait, and the caller waits
// for the upstream. If the cached answer has expired or is about to, it starts a refresh in the background.
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

// send sends the query to its upstream: by a session if there is one, or else in a goroutine. The given session is one
// of the general upstream. It reports whether that session has to be flushed.
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

// maxForward is the maximum size of a query to the upstream, in bytes.
const maxForward = dnswire.HeaderSize + blocklist.MaxName + 4 + dnswire.OPTSize

// forwardMessage returns the query to the upstream. It copies only the question, DO and CD from the client's query. AD
// requests the validation status (RFC 6840, section 5.7).
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

// appendForward appends the packed form of forwardMessage. The session sets the ID.
func (q *query) appendForward(dst []byte) []byte {
	flags := q.flags&dnswire.FlagCD | dnswire.FlagRD | dnswire.FlagAD
	dst = append(dst, 0, 0, byte(flags>>8), byte(flags), 0, 1, 0, 0, 0, 0, 0, 1)
	return dnswire.AppendOPT(append(dst, q.asked()...), 0, q.do, 0)
}

// failure returns a SERVFAIL reply for a failed upstream. Its ID field has the extended error code plus one.
func (q *query) failure(err error) []byte {
	code := failureCode(err) + 1
	m := binary.BigEndian.AppendUint16(make([]byte, 0, dnswire.HeaderSize+len(q.key)), code)
	m = append(m, dnswire.FlagQR>>8, dns.RcodeServerFailure, 0, 1, 0, 0, 0, 0, 0, 0)
	return append(m, q.asked()...)
}

// failureCode returns the extended error code for an upstream error: 22 (No Reachable Authority) for a timeout, 23
// (Network Error) otherwise.
func failureCode(err error) uint16 {
	if errors.Is(err, context.DeadlineExceeded) {
		return dns.ExtendedErrorCodeNoReachableAuthority
	}
	return dns.ExtendedErrorCodeNetworkError
}

// hideFailure replaces every failure rcode of an upstream by SERVFAIL. To the client, the upstream's REFUSED would mean
// that we refuse it, and FORMERR that its query is malformed.
func hideFailure(reply []byte) {
	if !dnswire.IsFailure(reply) || dnswire.Rcode(reply) == dns.RcodeServerFailure {
		return
	}
	dnswire.SetRcode(reply, dns.RcodeServerFailure)
	if dnswire.Uint16(reply, 0) == 0 {
		binary.BigEndian.PutUint16(reply, dns.ExtendedErrorCodeNoReachableAuthority+1)
	}
}
