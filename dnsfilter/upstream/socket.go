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
	socketBuffer = 1 << 20         // bytes, each way
	socketLife   = 5 * time.Second // after which a socket is replaced by one at another port
	maxWrong     = 64              // replies that nobody waits for, after which somebody may be guessing
)

// socket is one UDP socket to one resolver. The lane's lock guards it.
type socket struct {
	lane     *Lane
	resolver int
	conn     *batch.Socket
	out      *batch.Writer
	queued   int
	packets  [batch.Size][maxQuery]byte
	pending  map[uint16]*exchange
	retired  bool
	until    time.Time
	right    int // replies that somebody waited for
	wrong    int // ... and all else that came: late ones, and forged ones
}

// socket returns the one that queries to a resolver use now.
func (l *Lane) socket(resolver int, now time.Time) (*socket, error) {
	at := &l.sockets[resolver*spread+l.turn]
	if *at != nil {
		return *at, nil
	}
	d := net.Dialer{}
	c, err := d.Dial("udp", l.f.resolvers[resolver].at.Addr.String())
	if err != nil {
		return nil, err
	}
	s, err := l.newSocket(resolver, c, now)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	*at = s
	return s, nil
}

func (l *Lane) newSocket(resolver int, c net.Conn, now time.Time) (*socket, error) {
	conn, ok := c.(*net.UDPConn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	s := &socket{lane: l, resolver: resolver, pending: make(map[uint16]*exchange), until: now.Add(socketLife)}
	err := errors.Join(conn.SetReadBuffer(socketBuffer), conn.SetWriteBuffer(socketBuffer))
	if err != nil {
		return nil, err
	}
	if s.conn, err = l.loop.Open(conn); err != nil {
		return nil, err
	}
	s.out = s.conn.NewWriter()
	s.conn.Read(s.take)
	return s, nil
}

func (s *socket) waiting() map[uint16]*exchange { return s.pending }

// add collects a query.
func (s *socket) add(query []byte, id uint16, as spelling) {
	if s.out.Full() {
		s.flush()
	}
	if s.queued == 0 {
		s.lane.dirty = append(s.lane.dirty, s)
	}
	packet := append(s.packets[s.queued][:0], query...)
	binary.BigEndian.PutUint16(packet, id)
	as.apply(packet)
	s.queued++
	s.out.Add(packet, nil)
}

func (s *socket) flush() {
	s.out.Flush()
	s.queued = 0
}

// closeOld takes sockets out of use whose time is over, closes those that nobody waits at, and reports whether any is left.
func (l *Lane) closeOld(now time.Time) (left bool) {
	for i, s := range l.sockets {
		if s == nil {
			continue
		}
		left = true
		if now.After(s.until) {
			s.retire(i)
		}
	}
	return left
}

// retire takes a socket out of use.
func (s *socket) retire(at int) {
	s.retired = true
	s.lane.sockets[at] = nil
	s.closeUnused()
}

// distrust takes a socket out of use to which somebody sends guesses, and asks what waits there over TCP, where they are of no use.
func (s *socket) distrust(now time.Time) {
	if at := slices.Index(s.lane.sockets, s); at >= 0 {
		s.retire(at)
	}
	for id, e := range s.pending {
		delete(s.pending, id)
		s.lane.overStream(e, e.tryOf(s, id), now)
	}
	s.right, s.wrong = 0, 0
}

// closeUnused closes a retired socket at which no reply is waited for.
func (s *socket) closeUnused() {
	if s.retired && len(s.pending) == 0 {
		s.conn.Close()
	}
}

// take hands out replies.
func (s *socket) take(in *batch.Datagrams, err error) {
	if err != nil {
		s.refused(err)
		return
	}
	var done [batch.Size]outcome
	tell(s.settle(in, done[:0]))
}

// settle finds the exchanges that replies belong to, and ends those that they settle.
func (s *socket) settle(in *batch.Datagrams, ended []outcome) []outcome {
	l := s.lane
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for i := range in.Len() {
		reply := in.Packet(i)
		e := l.find(s, reply)
		if e == nil {
			s.wrong++
			continue
		}
		s.right++
		if o, ok := l.receive(e, s, reply, now); ok {
			ended = append(ended, o)
		}
	}
	if s.wrong > maxWrong && s.wrong > s.right/2 {
		s.distrust(now)
	}
	l.flush()
	s.closeUnused()
	return ended
}

// refused moves the exchanges of a socket, whose resolver the system says can't be reached, on to the next. Anybody may have made
// the system say so, so that a reply is waited for all the same, if not for as long.
func (s *socket) refused(why error) {
	l := s.lane
	l.mu.Lock()
	now := time.Now()
	l.f.resolvers[s.resolver].late(answerLimit, now)
	l.probe(s.resolver, now)
	ended := l.advanceAll(s.pending, now, why)
	l.flush()
	s.closeUnused()
	l.mu.Unlock()
	tell(ended)
	l.idle()
}

// advanceAll asks the next resolvers for all that wait on a way.
func (l *Lane) advanceAll(pending map[uint16]*exchange, now time.Time, why error) (ended []outcome) {
	waiting := make(map[*exchange]bool, len(pending)) // one may wait for two replies here
	for _, e := range pending {
		waiting[e] = true
	}
	for e := range waiting {
		if o, ok := l.advance(e, now, why); ok {
			ended = append(ended, o)
		}
	}
	return ended
}
