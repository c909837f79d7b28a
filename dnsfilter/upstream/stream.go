package upstream

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"net"
	"time"
)

const (
	dialWithin  = 2 * time.Second
	writeWithin = 2 * time.Second
	streamIdle  = 10 * time.Second // without a reply, after which a connection is closed
	maxQueued   = 1 << 20          // bytes that wait to be written to a connection; what is beyond is lost
	maxReply    = 4096             // bytes of a reply; we ask for at most 1232 over UDP
	padTo       = 128              // length of queries over TLS, or a multiple of it (RFC 8467)
)

// errClosed is why a connection ended that the resolver has closed.
var errClosed = errors.New("the resolver closed the connection")

// way is what queries of a lane go through to a resolver. The lane's lock guards it.
type way interface {
	// waiting returns the exchanges that wait for a reply, by the id of the query.
	waiting() map[uint16]*exchange
	// add sends a query with the next flush, at the latest.
	add(query []byte, id uint16, as spelling)
	// closeUnused closes a way that is out of use when nobody waits.
	closeUnused()
}

// type checks.
var (
	_ way = (*socket)(nil)
	_ way = (*stream)(nil)
)

// stream is a connection to a resolver, over TCP or TLS. It is kept, and shared by all questions of the lane, whose replies come in
// any order (RFC 7766). Two goroutines serve it.
type stream struct {
	lane     *Lane
	resolver int
	pending  map[uint16]*exchange
	out      []byte        // to be written
	wake     chan struct{} // there is something to be written
	served   bool          // a reply has come
	heard    time.Time     // when the last reply came, or the connection was made; zero: it is not made yet
	retired  bool          // out of use, but for what waits
}

// stream returns the connection to a resolver; it is opened if there is none.
func (l *Lane) stream(resolver int) *stream {
	if s := l.streams[resolver]; s != nil {
		return s
	}
	s := &stream{lane: l, resolver: resolver, pending: make(map[uint16]*exchange), wake: make(chan struct{}, 1)}
	l.streams[resolver] = s
	go s.run()
	return s
}

func (s *stream) waiting() map[uint16]*exchange { return s.pending }

// silentSince reports whether nothing was heard from the resolver on this connection since a query was sent.
func (s *stream) silentSince(sent time.Time) bool { return !s.heard.IsZero() && s.heard.Before(sent) }

// retire takes a connection out of use: it may have died without a word, as it does when a firewall forgets it, and the next
// question is to have a new one (RFC 7766, section 6.2.4). What waits may still be answered here.
func (s *stream) retire() {
	if s.lane.streams[s.resolver] == s {
		s.lane.streams[s.resolver] = nil
	}
	s.retired = true
	s.closeUnused()
}

// closeUnused ends a retired connection on which no reply is waited for. Others end by themselves.
func (s *stream) closeUnused() {
	if s.retired && len(s.pending) == 0 {
		s.signal()
	}
}

// signal wakes who writes to the connection.
func (s *stream) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// add collects a query. Nobody forges replies here, so it is spelled plainly.
func (s *stream) add(query []byte, id uint16, _ spelling) {
	if len(s.out) > maxQueued {
		return
	}
	at := len(s.out)
	s.out = append(append(s.out, 0, 0), query...)
	if s.lane.f.resolvers[s.resolver].tls != nil {
		s.out = pad(s.out, at+2)
	}
	binary.BigEndian.PutUint16(s.out[at:], uint16(len(s.out)-at-2))
	binary.BigEndian.PutUint16(s.out[at+2:], id)
	s.signal()
}

// pad gives the query that begins at from a length that tells little of the name in it. It ends with an OPT record without
// options, as our queries do; any other stays as it is.
func pad(m []byte, from int) []byte {
	const opt, option = 11, 4
	query := m[from:]
	end := questionEnd(query)
	if end == 0 || len(query) != end+opt || query[end] != 0 || query[end+2] != typeOPT || query[len(query)-1]|query[len(query)-2] != 0 {
		return m
	}
	n := (padTo - (len(query)+option)%padTo) % padTo
	binary.BigEndian.PutUint16(m[len(m)-2:], uint16(option+n))
	m = append(m, 0, optionPadding, byte(n>>8), byte(n))
	return append(m, make([]byte, n)...)
}

// run opens the connection and serves it until it ends.
func (s *stream) run() {
	conn, err := s.dial()
	if err == nil {
		s.lane.mu.Lock()
		s.heard = time.Now()
		s.lane.mu.Unlock()
		read := make(chan error, 1)
		go func() { read <- s.read(conn) }()
		err = s.write(conn, read)
		_ = conn.Close() // its reader ends
	}
	s.end(err)
}

func (s *stream) dial() (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), dialWithin)
	defer cancel()
	r := &s.lane.f.resolvers[s.resolver]
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", r.at.Addr.String())
	if err != nil || r.tls == nil {
		return conn, timely(err)
	}
	secured := tls.Client(conn, r.tls)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(timely(err), conn.Close())
	}
	return secured, nil
}

// write writes what is collected until the reader ends, or it can't.
func (s *stream) write(conn net.Conn, read <-chan error) error {
	var spare []byte
	for {
		select {
		case err := <-read:
			return err
		case <-s.wake:
		}
		s.lane.mu.Lock()
		out, unused := s.out, s.retired && len(s.pending) == 0
		s.out = spare[:0]
		s.lane.mu.Unlock()
		if unused {
			return nil
		}
		if err := conn.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
			return err
		}
		if _, err := conn.Write(out); err != nil {
			return timely(err)
		}
		spare = out
	}
}

// read hands out replies until the connection ends.
func (s *stream) read(conn net.Conn) error {
	in, buf := bufio.NewReader(conn), make([]byte, maxReply)
	for {
		if err := conn.SetReadDeadline(time.Now().Add(streamIdle)); err != nil {
			return err
		}
		if _, err := io.ReadFull(in, buf[:2]); err != nil {
			return ended(err)
		}
		length := int(binary.BigEndian.Uint16(buf))
		if length > len(buf) {
			buf = make([]byte, length)
		}
		if _, err := io.ReadFull(in, buf[:length]); err != nil {
			return ended(err)
		}
		tell(s.take(buf[:length]))
		if in.Buffered() == 0 {
			s.lane.idle()
		}
	}
}

// ended tells the end of a connection from its failure.
func ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errClosed
	}
	return timely(err)
}

// take finds the exchange that a reply belongs to, and ends it if it is settled.
func (s *stream) take(reply []byte) (ended []outcome) {
	l := s.lane
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	s.served, s.heard = true, now
	if e := l.find(s, reply); e != nil {
		if o, ok := l.receive(e, s, reply, now); ok {
			ended = append(ended, o)
		}
	}
	s.closeUnused()
	l.flush()
	return ended
}

// end takes the connection out of use. What waits is asked over another one if this one was good, as resolvers may close
// connections at any time; or else at the next resolver.
func (s *stream) end(why error) {
	l := s.lane
	l.mu.Lock()
	if l.streams[s.resolver] == s {
		l.streams[s.resolver] = nil
	}
	now := time.Now()
	var ended []outcome
	if s.served {
		for id, e := range s.pending {
			delete(s.pending, id)
			l.overStream(e, e.tryOf(s, id), now)
		}
	} else {
		ended = s.failed(why, now)
	}
	l.flush()
	l.mu.Unlock()
	tell(ended)
	l.idle()
}

// failed ends a connection that has never been of use.
func (s *stream) failed(why error, now time.Time) []outcome {
	l, r := s.lane, &s.lane.f.resolvers[s.resolver]
	if len(s.pending) > 0 {
		r.late(answerLimit, now)
	}
	if r.tls != nil && (s.heard.IsZero() || len(s.pending) > 0) {
		l.f.fell(r, why, now)
	}
	pending := maps.Clone(s.pending)
	clear(s.pending)
	return l.advanceAll(pending, now, why)
}

// overStream makes a try one over a connection.
func (l *Lane) overStream(e *exchange, t *try, now time.Time) {
	t.sent, t.spelling = now, 0
	l.send(e, t, l.stream(t.resolver))
}

// send sends the query of a try.
func (l *Lane) send(e *exchange, t *try, w way) {
	for t.id = l.id(); w.waiting()[t.id] != nil; {
		t.id = l.id()
	}
	t.way = w
	w.waiting()[t.id] = e
	w.add(e.wire(t), t.id, t.spelling)
}

// timely gives every way of running out of time the same error.
func timely(err error) error {
	var n net.Error
	if errors.As(err, &n) && n.Timeout() {
		return context.DeadlineExceeded
	}
	return err
}
