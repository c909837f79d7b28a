package upstream

import (
	"encoding/binary"
	"errors"
	"net"
	"slices"
	"time"

	"github.com/argine-dns/argine/dnsfilter/internal/batch"
)

const (
	socketBuffer  = 1 << 20         // size of the receive and send buffer, in bytes
	socketLife    = 5 * time.Second // age at which a socket is replaced by one with another port
	maxUnexpected = 64              // number of replies matching no query, after which a spoofing attack is assumed
)

// socket is a UDP socket to one resolver. The lock of the pool guards it.
type socket struct {
	pool      *pool
	resolver  int
	conn      *batch.Socket
	out       *batch.Writer
	queued    int
	packets   [batch.Size][maxQuery]byte
	pending   map[uint16]*pendingQuery
	retired   bool
	expires   time.Time
	matched   int // number of replies that matched a query
	unmatched int // number of replies that matched no query: late or forged
}

// socket returns the socket for the next query to a resolver. If there is none, it opens one.
func (p *pool) socket(resolver int, now time.Time) (*socket, error) {
	at := &p.sockets[resolver*portsPerResolver+p.port]
	if *at != nil {
		return *at, nil
	}
	d := net.Dialer{}
	c, err := d.Dial("udp", p.f.resolvers[resolver].at.Addr.String())
	if err != nil {
		return nil, err
	}
	s, err := p.newSocket(resolver, c, now)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	*at = s
	return s, nil
}

func (p *pool) newSocket(resolver int, c net.Conn, now time.Time) (*socket, error) {
	conn, ok := c.(*net.UDPConn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	s := &socket{pool: p, resolver: resolver, pending: make(map[uint16]*pendingQuery), expires: now.Add(socketLife)}
	err := errors.Join(conn.SetReadBuffer(socketBuffer), conn.SetWriteBuffer(socketBuffer))
	if err != nil {
		return nil, err
	}
	if s.conn, err = p.loop.Open(conn); err != nil {
		return nil, err
	}
	s.out = s.conn.NewWriter()
	s.conn.Read(s.onDatagrams)
	return s, nil
}

func (s *socket) waiting() map[uint16]*pendingQuery { return s.pending }

// add adds a query with this ID and mask to the batch that the next flush sends.
func (s *socket) add(query []byte, id uint16, mask caseMask) {
	if s.out.Full() {
		s.flush()
	}
	if s.queued == 0 {
		s.pool.unsent = append(s.pool.unsent, s)
	}
	packet := append(s.packets[s.queued][:0], query...)
	binary.BigEndian.PutUint16(packet, id)
	mask.apply(packet)
	s.pool.f.tapQuery(s.resolver, false, packet)
	s.queued++
	s.out.Add(packet, nil)
}

func (s *socket) flush() {
	s.out.Flush()
	s.queued = 0
}

// closeExpired retires the expired sockets of the pool. It returns false if the pool had no sockets at all, not even
// expired ones.
func (p *pool) closeExpired(now time.Time) (had bool) {
	for i, s := range p.sockets {
		if s == nil {
			continue
		}
		had = true
		if now.After(s.expires) {
			s.retire(i)
		}
	}
	return had
}

// retire removes the socket from the pool, so that no new queries use it. The argument index is its position in
// pool.sockets. The socket stays open for pending replies.
func (s *socket) retire(index int) {
	s.retired = true
	s.pool.sockets[index] = nil
	s.closeUnused()
}

// distrust retires a socket that receives forged replies. It sends the pending queries of the socket again over TCP,
// where guessing does not suffice to forge a reply.
func (s *socket) distrust(now time.Time) {
	if at := slices.Index(s.pool.sockets, s); at >= 0 {
		s.retire(at)
	}
	for id, q := range s.pending {
		delete(s.pending, id)
		s.pool.sendOverStream(q, q.attemptOf(s, id), now)
	}
	s.matched, s.unmatched = 0, 0
}

// closeUnused closes the socket if it is retired and has no pending queries.
func (s *socket) closeUnused() {
	if s.retired && len(s.pending) == 0 {
		s.conn.Close()
	}
}

// onDatagrams matches a batch of replies to queries, and delivers the results of the queries that have ended. If err is
// not nil, it is a delivery error of the system, for [socket.onError].
func (s *socket) onDatagrams(in *batch.Datagrams, err error) {
	if err != nil {
		s.onError(err)
		return
	}
	var done [batch.Size]result
	deliver(s.onReplies(in, done[:0]))
}

// onReplies matches replies to queries. It appends the results of the queries that have ended to the argument results,
// and returns that slice.
func (s *socket) onReplies(in *batch.Datagrams, results []result) []result {
	p := s.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.f.now()
	for i := range in.Len() {
		reply := in.Packet(i)
		q := p.match(s, reply)
		if q == nil {
			s.unmatched++
			continue
		}
		s.matched++
		if r, ok := p.onReply(q, s, reply, now); ok {
			results = append(results, r)
		}
	}
	if s.unmatched > maxUnexpected && s.unmatched > s.matched/2 {
		s.distrust(now)
	}
	p.flush()
	s.closeUnused()
	return results
}

// onError calls failOver for all pending queries after the system has reported that the resolver is unreachable. Since
// an attacker may have caused that by forged ICMP messages, the queries go on waiting for a reply, but not for long.
func (s *socket) onError(cause error) {
	p := s.pool
	p.mu.Lock()
	now := p.f.now()
	p.f.resolvers[s.resolver].timedOut(timeLimit, now)
	p.probe(s.resolver, now)
	results := p.failOverAll(s.pending, now, cause)
	p.flush()
	s.closeUnused()
	p.mu.Unlock()
	deliver(results)
	p.onIdle()
}
