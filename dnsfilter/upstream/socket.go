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
	socketBuffer  = 1 << 20         // bytes, each way
	socketLife    = 5 * time.Second // age at which a socket is replaced by one with another port
	maxUnexpected = 64              // replies without a query, after which a spoofing attack is assumed
)

// socket is a UDP socket to one resolver. The pool's lock guards it.
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
	matched   int // replies that matched a query
	unmatched int // replies that matched none: late or forged
}

// socket returns the socket for the next query to a resolver. It opens one if needed.
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

// add adds a query to the batch for the next flush.
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

// closeExpired retires expired sockets, and reports whether there are any sockets.
func (p *pool) closeExpired(now time.Time) (left bool) {
	for i, s := range p.sockets {
		if s == nil {
			continue
		}
		left = true
		if now.After(s.expires) {
			s.retire(i)
		}
	}
	return left
}

// retire stops the use of a socket for new queries. It stays open for pending replies.
func (s *socket) retire(at int) {
	s.retired = true
	s.pool.sockets[at] = nil
	s.closeUnused()
}

// distrust retires a socket that receives forged replies. It sends its queries again over TCP, where replies can't be
// forged by guessing.
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

// closeUnused closes a retired socket without pending queries.
func (s *socket) closeUnused() {
	if s.retired && len(s.pending) == 0 {
		s.conn.Close()
	}
}

// onDatagrams processes a batch of replies, or a delivery error from the system.
func (s *socket) onDatagrams(in *batch.Datagrams, err error) {
	if err != nil {
		s.onError(err)
		return
	}
	var done [batch.Size]result
	deliver(s.onReplies(in, done[:0]))
}

// onReplies matches replies to queries, and appends the results of the queries that have ended.
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

// onError fails over after the system has reported the resolver as unreachable. An attacker may have caused the report
// by forged ICMP messages. So the queries still wait for a reply, but not for long.
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
