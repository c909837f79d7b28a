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

	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

const (
	dialWithin  = 2 * time.Second
	writeWithin = 2 * time.Second
	streamIdle  = 10 * time.Second // idle time after which a connection is closed
	maxQueued   = 1 << 20          // maximum number of unwritten bytes of a connection; further queries are dropped
	maxReply    = 4096             // initial size of the reply buffer, in bytes
	padTo       = 128              // queries over TLS are padded to a multiple of this (RFC 8467)
)

// errClosed is the error of a connection that the resolver has closed.
var errClosed = errors.New("the resolver closed the connection")

// transport is a UDP socket or a stream of a pool to one resolver. The lock of the pool guards it.
type transport interface {
	// waiting returns the pending queries by ID.
	waiting() map[uint16]*pendingQuery
	// add adds a query with this ID and mask to the queries that the next flush sends. It may send them earlier.
	add(query []byte, id uint16, mask caseMask)
	// closeUnused closes the transport if it is retired and has no pending queries.
	closeUnused()
}

// Compile-time checks.
var (
	_ transport = (*socket)(nil)
	_ transport = (*stream)(nil)
)

// stream is a TCP or TLS connection to a resolver. All queries that the pool sends to the resolver over TCP or TLS
// share the connection. It stays open until it is idle for streamIdle. Replies may arrive in any order (RFC 7766). One
// goroutine reads, another one writes.
type stream struct {
	pool     *pool
	resolver int
	pending  map[uint16]*pendingQuery
	out      []byte        // bytes that are not written yet
	wake     chan struct{} // a value in it wakes the goroutine that writes; capacity 1
	served   bool          // a reply was received over the connection
	heard    time.Time     // time of the last reply, or of connecting if there was none; zero: not connected yet
	retired  bool          // new queries do not use the connection
}

// stream returns the connection to a resolver. If there is none, it opens one.
func (p *pool) stream(resolver int) *stream {
	if s := p.streams[resolver]; s != nil {
		return s
	}
	s := &stream{pool: p, resolver: resolver, pending: make(map[uint16]*pendingQuery), wake: make(chan struct{}, 1)}
	p.streams[resolver] = s
	go s.run()
	return s
}

func (s *stream) waiting() map[uint16]*pendingQuery { return s.pending }

// silentSince reports whether the connection has received nothing since a query was sent at the given time.
func (s *stream) silentSince(sent time.Time) bool { return !s.heard.IsZero() && s.heard.Before(sent) }

// retire removes the connection from the pool, so that no new queries use it. It stays open for pending replies. The
// connection may be dead, for instance because a firewall has forgotten it, so the next query opens a new one (RFC
// 7766, section 6.2.4).
func (s *stream) retire() {
	if s.pool.streams[s.resolver] == s {
		s.pool.streams[s.resolver] = nil
	}
	s.retired = true
	s.closeUnused()
}

// closeUnused closes the connection if it is retired and has no pending queries. Other connections close after
// streamIdle.
func (s *stream) closeUnused() {
	if s.retired && len(s.pending) == 0 {
		s.signal()
	}
}

// signal wakes the writer.
func (s *stream) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// add adds a query with this ID to the unwritten bytes. It applies no case mask, since guessing does not suffice to
// forge a reply over TCP.
func (s *stream) add(query []byte, id uint16, _ caseMask) {
	if len(s.out) > maxQueued {
		return
	}
	at := len(s.out)
	s.out = append(append(s.out, 0, 0), query...)
	if s.pool.f.resolvers[s.resolver].tls != nil {
		s.out = pad(s.out, at+2)
	}
	binary.BigEndian.PutUint16(s.out[at:], uint16(len(s.out)-at-2))
	binary.BigEndian.PutUint16(s.out[at+2:], id)
	s.pool.f.tapQuery(s.resolver, true, s.out[at+2:])
	s.signal()
}

// pad pads the query that begins at offset start, so that the length reveals little about the name (RFC 7830). It
// changes only a query that ends with an OPT record without options.
func pad(m []byte, start int) []byte {
	const option = 4
	query := m[start:]
	opt, ok := optOf(query)
	if !ok || len(opt) != dnswire.OPTSize || opt.Length() != 0 {
		return m
	}
	n := (padTo - (len(query)+option)%padTo) % padTo
	binary.BigEndian.PutUint16(m[len(m)-2:], uint16(option+n))
	m = append(m, 0, optionPadding, byte(n>>8), byte(n))
	return append(m, make([]byte, n)...)
}

// run opens the connection, and reads and writes until it closes.
func (s *stream) run() {
	conn, err := s.dial()
	if err == nil {
		s.pool.mu.Lock()
		s.heard = s.pool.f.now()
		s.pool.mu.Unlock()
		read := make(chan error, 1)
		go func() { read <- s.read(conn) }()
		err = s.write(conn, read)
		_ = conn.Close() // its reader ends
	}
	s.onClose(err)
}

func (s *stream) dial() (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), dialWithin)
	defer cancel()
	r := &s.pool.f.resolvers[s.resolver]
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", r.at.Addr.String())
	if err != nil || r.tls == nil {
		return conn, asDeadline(err)
	}
	secured := tls.Client(conn, r.tls)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(asDeadline(err), conn.Close())
	}
	return secured, nil
}

// write writes queries until reading or writing fails, and then returns the error. The channel read has the error of
// reading. If the connection is retired and unused, write ends, and returns nil.
func (s *stream) write(conn net.Conn, read <-chan error) error {
	var spare []byte
	for {
		select {
		case err := <-read:
			return err
		case <-s.wake:
		}
		s.pool.mu.Lock()
		out, unused := s.out, s.retired && len(s.pending) == 0
		s.out = spare[:0]
		s.pool.mu.Unlock()
		if unused {
			return nil
		}
		if err := conn.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
			return err
		}
		if _, err := conn.Write(out); err != nil {
			return asDeadline(err)
		}
		spare = out
	}
}

// read reads replies and passes each to [stream.onReply], until reading fails. Then it returns the error.
func (s *stream) read(conn net.Conn) error {
	in, buf := bufio.NewReader(conn), make([]byte, maxReply)
	for {
		if err := conn.SetReadDeadline(time.Now().Add(streamIdle)); err != nil {
			return err
		}
		if _, err := io.ReadFull(in, buf[:2]); err != nil {
			return closeError(err)
		}
		length := int(binary.BigEndian.Uint16(buf))
		if length > len(buf) {
			buf = make([]byte, length)
		}
		if _, err := io.ReadFull(in, buf[:length]); err != nil {
			return closeError(err)
		}
		deliver(s.onReply(buf[:length]))
		if in.Buffered() == 0 {
			s.pool.onIdle()
		}
	}
}

// closeError returns errClosed if the resolver has closed the connection, and otherwise what asDeadline returns.
func closeError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errClosed
	}
	return asDeadline(err)
}

// onReply matches a reply to its query. If that ends the query, it returns the result.
func (s *stream) onReply(reply []byte) (results []result) {
	p := s.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.f.now()
	s.served, s.heard = true, now
	if q := p.match(s, reply); q != nil {
		if r, ok := p.onReply(q, s, reply, now); ok {
			results = append(results, r)
		}
	}
	s.closeUnused()
	p.flush()
	return results
}

// onClose decides about the pending queries of a closed connection. If the connection has received a reply, onClose
// sends them over a new connection to the same resolver, since resolvers may close connections at any time. Otherwise
// [stream.onFailure] decides about them.
func (s *stream) onClose(cause error) {
	p := s.pool
	p.mu.Lock()
	if p.streams[s.resolver] == s {
		p.streams[s.resolver] = nil
	}
	now := p.f.now()
	var results []result
	if s.served {
		for id, q := range s.pending {
			delete(s.pending, id)
			p.sendOverStream(q, q.attemptOf(s, id), now)
		}
	} else {
		results = s.onFailure(cause, now)
	}
	p.flush()
	p.mu.Unlock()
	deliver(results)
	p.onIdle()
}

// onFailure calls failOver for the pending queries of a closed connection that has never received a reply. It returns
// the results of the queries that ended. The resolver may then count as down.
func (s *stream) onFailure(cause error, now time.Time) []result {
	p, r := s.pool, &s.pool.f.resolvers[s.resolver]
	if len(s.pending) > 0 {
		r.timedOut(timeLimit, now)
	}
	if r.tls != nil && (s.heard.IsZero() || len(s.pending) > 0) {
		p.f.markDown(r, cause, now)
	}
	pending := maps.Clone(s.pending)
	clear(s.pending)
	return p.failOverAll(pending, now, cause)
}

// sendOverStream sends the query of an attempt over the TCP or TLS connection to its resolver.
func (p *pool) sendOverStream(q *pendingQuery, a *attempt, now time.Time) {
	a.sent, a.mask = now, 0
	p.send(q, a, p.stream(a.resolver))
}

// asDeadline returns [context.DeadlineExceeded] for a network timeout, and any other error unchanged.
func asDeadline(err error) error {
	var n net.Error
	if errors.As(err, &n) && n.Timeout() {
		return context.DeadlineExceeded
	}
	return err
}
