package upstream

import (
	"encoding/binary"
	"errors"
	"net"
	"time"

	"github.com/argine-dns/argine/dnsfilter/internal/batch"
)

const (
	socketBuffer = 1 << 20         // bytes, each way
	socketLife   = 5 * time.Second // after which a socket is replaced by one at another port
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

// closeOld takes sockets out of use whose time is over, closes those that nobody waits at, and tells whether any is left.
func (l *Lane) closeOld(now time.Time) (left bool) {
	for i, s := range l.sockets {
		if s == nil {
			continue
		}
		left = true
		if now.After(s.until) {
			s.retired = true
			l.sockets[i] = nil
			s.closeUnused()
		}
	}
	return left
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
	for _, o := range s.settle(in, done[:0]) {
		o.to.Answer(o.reply, o.err)
	}
}

// settle finds the exchanges that replies belong to, and ends those that they settle.
func (s *socket) settle(in *batch.Datagrams, ended []outcome) []outcome {
	l := s.lane
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for i := range in.Len() {
		if o, ok := l.receive(s, s.resolver, in.Packet(i), now); ok {
			ended = append(ended, o)
		}
	}
	l.flush()
	s.closeUnused()
	return ended
}

// receive finds the exchange that a reply belongs to, and ends it if it is settled.
func (l *Lane) receive(w way, resolver int, reply []byte, now time.Time) (outcome, bool) {
	if len(reply) < headerSize {
		return outcome{}, false
	}
	id := binary.BigEndian.Uint16(reply)
	e := w.waiting()[id]
	if e == nil || !answers(reply, e.query) {
		return outcome{}, false
	}
	delete(w.waiting(), id)
	t := e.tryOf(w, id)
	l.f.resolvers[resolver].answered(now.Sub(t.sent), now)
	if !l.spelledWell(e, t, reply, now) {
		return outcome{}, false
	}
	return l.settle(e, t, reply, now)
}

// settle ends an exchange with the reply to a try, unless another resolver may have a better one.
func (l *Lane) settle(e *exchange, t *try, reply []byte, now time.Time) (outcome, bool) {
	_, datagram := t.way.(*socket)
	switch {
	case datagram && reply[2]&flagTC != 0:
		l.overStream(e, t, now)
		e.wait = dialWithin
		e.next = now.Add(e.wait)
		return outcome{}, false
	case fails(reply):
		e.refusal = append([]byte(nil), reply...)
		return l.advance(e, now, nil)
	}
	return outcome{to: l.finish(e), reply: reply}, true
}

// refused moves the exchanges of a socket, whose resolver the system says can't be reached, on to the next.
func (s *socket) refused(why error) {
	l := s.lane
	l.mu.Lock()
	var ended []outcome
	now := time.Now()
	l.f.resolvers[s.resolver].late(answerLimit, now)
	waiting := make(map[*exchange]bool, len(s.pending)) // one may wait for two replies here
	for _, e := range s.pending {
		waiting[e] = true
	}
	clear(s.pending)
	for e := range waiting {
		if o, ok := l.advance(e, now, why); ok {
			ended = append(ended, o)
		}
	}
	l.flush()
	s.closeUnused()
	l.mu.Unlock()
	for _, o := range ended {
		o.to.Answer(o.reply, o.err)
	}
	l.idle()
}
