package dnsfilter

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/dnsfilter/internal/batch"
)

// maxQuery is the longest query that is taken over UDP, in bytes.
const maxQuery = 4096

// socket answers the queries of one UDP socket. An ordinary query that can be answered at once never leaves the goroutine
// that read it and allocates nothing; every other has a goroutine of its own.
type socket struct {
	server  *Server
	conn    *net.UDPConn
	in      *batch.Reader
	out     *batch.Writer
	query   query
	answers [batch.Size][udpSize + 64]byte
	plain   sync.WaitGroup

	mu   sync.Mutex // guards late
	late *batch.Writer
}

func (s *Server) newSocket(conn *net.UDPConn) (*socket, error) {
	u := &socket{server: s, conn: conn}
	var err error
	if u.in, err = batch.NewReader(conn, maxQuery); err != nil {
		return nil, err
	}
	if u.out, err = batch.NewWriter(conn); err != nil {
		return nil, err
	}
	u.late, err = batch.NewWriter(conn)
	return u, err
}

// serveUDP answers on a socket until ctx ends, and closes it.
func (s *Server) serveUDP(ctx context.Context, conn *net.UDPConn) error {
	defer conn.Close() //nolint:errcheck // nothing is left to lose
	u, err := s.newSocket(conn)
	if err != nil {
		return fmt.Errorf("serving: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Now()) }) // it fails on closed sockets only
	defer stop()
	for ctx.Err() == nil {
		n, err := u.in.Read()
		switch {
		case err == nil:
			u.answer(n)
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("serving: %w", err)
		case !errors.Is(err, os.ErrDeadlineExceeded):
			time.Sleep(time.Millisecond) // a datagram that the system can't deliver ends nothing
		}
	}
	drained := make(chan struct{})
	go func() { u.plain.Wait(); close(drained) }()
	select {
	case <-drained:
	case <-time.After(drainWithin):
	}
	return nil
}

// answer answers the datagrams that were read.
func (u *socket) answer(n int) {
	defer u.server.survive()
	u.server.stats.queries.Add(uint64(n))
	current, now := u.server.current.Load(), u.server.cache.now()
	for i := range n {
		packet, peer := u.in.Packet(i), u.in.Peer(i)
		client := peer.Addr()
		if len(packet) < headerSize || packet[2]&(flagQR>>8) != 0 || client.Port() == 0 {
			continue
		}
		if !u.query.read(packet) || u.query.check() != dns.RcodeSuccess {
			u.leave(packet, *peer)
			continue
		}
		if !current.policy.serves(client.Addr()) {
			u.out.Add(u.query.refuse(u.answers[i][:0], dns.RcodeRefused, dns.ExtendedErrorCodeProhibited), peer)
			continue
		}
		m, found := u.server.local(current, u.answers[i][:0], &u.query, now)
		switch {
		case !found:
			u.leave(packet, *peer)
		case len(m) > 0:
			u.out.Add(m, peer)
		}
	}
	u.out.Flush()
}

// leave hands a datagram to the plain path.
func (u *socket) leave(packet []byte, peer batch.Peer) {
	packet = append([]byte(nil), packet...)
	u.plain.Go(func() {
		defer u.server.survive()
		u.server.serveMessage(packet, &udpClient{socket: u, peer: peer})
	})
}

// serveMessage answers a message that came over UDP as [dns.Server] does.
func (s *Server) serveMessage(packet []byte, w dns.ResponseWriter) {
	msg := new(dns.Msg)
	action := accept(dns.Header{
		Bits: binary.BigEndian.Uint16(packet[2:]), Qdcount: uint16(count(packet, 4)), Ancount: uint16(count(packet, 6)),
		Nscount: uint16(count(packet, 8)), Arcount: uint16(count(packet, 10)),
	})
	err := msg.Unpack(packet)
	switch {
	case action == dns.MsgIgnore:
		return
	case action == dns.MsgRejectNotImplemented:
		s.reject(w, msg, dns.RcodeNotImplemented)
	case action == dns.MsgReject || err != nil:
		s.reject(w, msg, dns.RcodeFormatError)
	default:
		s.answerMessage(w, msg)
	}
}

// reject answers a message of which no more than the header was understood.
func (s *Server) reject(w dns.ResponseWriter, msg *dns.Msg, rcode int) {
	q := query{id: msg.Id, flags: headerFlags(msg), size: minSize}
	_, _ = w.Write(q.refuse(nil, rcode, 0)) // a client that went away is no concern of ours
}

// udpClient is where the answer to one datagram goes. It implements [dns.ResponseWriter].
type udpClient struct {
	socket *socket
	peer   batch.Peer
}

// type check.
var _ dns.ResponseWriter = (*udpClient)(nil)

// Write implements [dns.ResponseWriter].
func (c *udpClient) Write(m []byte) (int, error) {
	c.socket.mu.Lock()
	defer c.socket.mu.Unlock()
	c.socket.late.Add(m, &c.peer)
	c.socket.late.Flush()
	return len(m), nil
}

// WriteMsg implements [dns.ResponseWriter].
func (c *udpClient) WriteMsg(m *dns.Msg) error {
	packed, err := m.Pack()
	if err != nil {
		return err
	}
	_, err = c.Write(packed)
	return err
}

// LocalAddr implements [dns.ResponseWriter].
func (c *udpClient) LocalAddr() net.Addr { return c.socket.conn.LocalAddr() }

// RemoteAddr implements [dns.ResponseWriter].
func (c *udpClient) RemoteAddr() net.Addr { return net.UDPAddrFromAddrPort(c.peer.Addr()) }

// Close implements [dns.ResponseWriter].
func (c *udpClient) Close() error { return nil }

// TsigStatus implements [dns.ResponseWriter].
func (c *udpClient) TsigStatus() error { return nil }

// TsigTimersOnly implements [dns.ResponseWriter].
func (c *udpClient) TsigTimersOnly(bool) {}

// Hijack implements [dns.ResponseWriter].
func (c *udpClient) Hijack() {}
