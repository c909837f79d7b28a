package dnsfilter

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
)

// Conn is one connection that [Server.Admit] has admitted. Several goroutines may use it.
type Conn struct {
	server  *Server
	how     Transport
	client  netip.Addr
	message ClientMessage // transport and addresses of the connection, in the form that taps receive
	from    uint64        // key of the client, see clientKey
	group   *connections
	closer  io.Closer
	asked   atomic.Int64 // time of the last query, in Unix nanoseconds
	waiting atomic.Int32 // number of queries that wait for the upstream
}

// Admit admits a connection from a client. It returns nil if the client is not served, or if there are too many
// connections: see the limits in the documentation of the package. The server may close the connection later, to make
// room for a new one. The caller has to call [Conn.Release] when the connection has ended.
func (s *Server) Admit(conn io.Closer, client netip.Addr, how Transport) *Conn {
	c := &Conn{server: s, how: how, client: client, from: clientKey(client), group: &s.plain, closer: conn}
	if how.isEncrypted() {
		c.group = &s.encrypted
	}
	c.message = ClientMessage{Transport: how, Client: netip.AddrPortFrom(client.Unmap(), 0)}
	if ends, ok := conn.(interface{ LocalAddr() net.Addr }); ok {
		c.message.Server = addrPort(ends.LocalAddr())
		if _, datagrams := ends.LocalAddr().(*net.UDPAddr); datagrams { // HTTP/3, too, runs over QUIC
			c.group = &s.quic
		}
	}
	if ends, ok := conn.(interface{ RemoteAddr() net.Addr }); ok {
		if remote := addrPort(ends.RemoteAddr()); remote.Addr() == client.Unmap() { // it is no proxy's
			c.message.Client = remote
		}
	}
	c.asked.Store(time.Now().UnixNano())
	if !serves(s.current.Load().clients, client) || !c.group.admit(c) {
		return nil
	}
	return c
}

// Handshake does the TLS handshake of an accepted connection, within the time limit for the first query. If the
// handshake fails, it closes and releases the connection, and returns nil.
func (c *Conn) Handshake(ctx context.Context, conn net.Conn, config *tls.Config) *tls.Conn {
	ctx, cancel := context.WithTimeout(ctx, c.group.timeouts().first)
	defer cancel()
	secured := tls.Server(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		c.Release()
		return nil
	}
	return secured
}

// Release tells the server that the connection has ended, so that it no longer counts against the limits.
func (c *Conn) Release() { c.group.remove(c) }

// Answer returns the answer to a query, both in wire form. The slice dst is empty; the answer uses its memory if that
// is large enough. If the upstream has to be asked, Answer waits for the upstream's answer. It returns nil if nothing
// is to be sent.
func (c *Conn) Answer(dst, packet []byte) []byte {
	m, wait := c.AnswerNow(dst, packet)
	if wait != nil {
		return wait()
	}
	return m
}

// AnswerNow is [Conn.Answer] for queries that can be answered at once. For other queries it returns a function that
// waits for the answer and returns it. That function has to be called once, by any goroutine, and uses neither dst nor
// the packet.
func (c *Conn) AnswerNow(dst, packet []byte) (m []byte, wait func() []byte) {
	defer c.server.recoverPanic()
	m, late := c.answerNow(dst, packet)
	if late != nil {
		return nil, func() []byte { return c.answerLate(late) }
	}
	c.count(m)
	return m, nil
}

// answerLate returns the result of a function that waits for an answer. It returns nil if too many connections wait.
func (c *Conn) answerLate(answer func() []byte) []byte {
	defer c.server.recoverPanic()
	if !c.startWaiting() {
		return nil
	}
	defer c.endWaiting()
	m := answer()
	c.count(m)
	return m
}

// answerNow returns the answer to a query if it can be given at once. Otherwise it returns a function that waits for
// the answer, and that uses neither dst nor the packet.
func (c *Conn) answerNow(dst, packet []byte) (m []byte, wait func() []byte) {
	s := c.server
	q, ok := s.queries.Get().(*query)
	if !ok {
		q = &query{counters: &s.shared}
	}
	defer s.queries.Put(q)
	s.shared.queries.Add(1)
	c.asked.Store(time.Now().UnixNano())
	if len(packet) < dnswire.HeaderSize || dnswire.IsResponse(packet) {
		return nil, nil
	}
	if !q.parsePacket(packet) || q.check() != dns.RcodeSuccess {
		packet = append([]byte(nil), packet...)
		return nil, func() []byte { return s.slowPath(packet, c.message) }
	}
	q.size, q.keepalive, q.padded = dns.MaxMsgSize, 0, false
	if len(q.options) > 0 {
		c.setOptions(q)
	}
	current := s.current.Load()
	q.tap = current.taps.tap(c.message, packet)
	m, ask := c.answerInTurn(current, dst, q)
	if !ask {
		q.tap.answer(q.question, m)
		return m, nil
	}
	waiting := &query{}
	q.copyTo(waiting)
	return nil, func() []byte { return s.forward(current, waiting) }
}

// setOptions prepares the EDNS options of the answer that depend on the connection.
func (c *Conn) setOptions(q *query) {
	if c.how.isTimed() && dnswire.HasOption(q.options, dns.EDNS0TCPKEEPALIVE) {
		q.keepalive = c.group.keepalive()
	}
	q.padded = c.how.isEncrypted() && dnswire.HasOption(q.options, dns.EDNS0PADDING)
}

// answerInTurn returns the answer to a query if it can be given at once. If wait is true, the upstream has to be asked.
// A semaphore limits how many connections compute an answer at a time, so that busy connections leave processors free
// for UDP.
func (c *Conn) answerInTurn(current *snapshot, dst []byte, q *query) (m []byte, wait bool) {
	s := c.server
	s.turns <- struct{}{}
	defer func() { <-s.turns }()
	m, ok := s.admit(current, dst, q, c.client, true)
	if !ok {
		return m, false
	}
	return s.answerOrAsk(current, dst, q)
}

// isWaiting reports whether any query of the connection waits for its answer.
func (c *Conn) isWaiting() bool { return c.waiting.Load() > 0 }

// startWaiting counts a query that waits for its answer. It returns false if too many connections wait.
func (c *Conn) startWaiting() bool {
	if !c.isWaiting() && !c.group.admitWaiting(c) {
		c.server.shared.dropped.Add(1)
		return false
	}
	if c.waiting.Add(1) == 1 {
		c.group.waiting.Add(1)
	}
	return true
}

func (c *Conn) endWaiting() {
	if c.waiting.Add(-1) == 0 {
		c.group.waiting.Add(-1)
	}
}

// count counts an answer. It does nothing if m is empty.
func (c *Conn) count(m []byte) {
	if len(m) > 0 {
		c.server.streamed[c.how].count(m)
	}
}
