package rpz

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/miekg/dns"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter/internal/dnswire"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// primaryConn is a connection to a primary.
type primaryConn struct {
	net.Conn

	ctx    context.Context //nolint:containedctx // of the update
	stop   func() bool
	zone   string
	key    *Key
	limits transferLimits
	id     uint16
	verify *verifier // verifies the signatures of the current answer; nil: the query was not signed
	bytes  int
	buf    []byte
}

// dial connects to a primary over TCP or, if the endpoint has a name, over TLS 1.3 (RFC 9103).
func (s *Secondary) dial(ctx context.Context, p upstream.Endpoint) (*primaryConn, error) {
	dialer := &net.Dialer{Timeout: s.limit().stall}
	var conn net.Conn
	var err error
	if p.Name == "" {
		conn, err = dialer.DialContext(ctx, "tcp", p.Addr.String())
	} else {
		timed, cancel := context.WithTimeout(ctx, s.limit().stall)
		defer cancel()
		conn, err = (&tls.Dialer{NetDialer: dialer, Config: &tls.Config{
			ServerName: p.Name, RootCAs: p.Roots, MinVersion: tls.VersionTLS13, NextProtos: []string{"dot"},
		}}).DialContext(timed, "tcp", p.Addr.String())
	}
	if err != nil {
		return nil, err
	}
	c := &primaryConn{Conn: conn, ctx: ctx, zone: dns.Fqdn(s.Zone.String()), key: s.Key, limits: s.limit()}
	c.stop = context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // it ends the reading
	return c, nil
}

func (c *primaryConn) close() {
	c.stop()
	_ = c.Close() // nothing is left to be sent
}

// ask sends a query, signed if there is a key.
func (c *primaryConn) ask(m *dns.Msg) error {
	c.id = m.Id
	c.verify = nil
	var packet []byte
	var err error
	if c.key == nil {
		packet, err = m.Pack()
	} else {
		m.SetTsig(dns.Fqdn(c.key.name.String()), c.key.algorithm, fudge, time.Now().Unix())
		var mac string
		if packet, mac, err = dns.TsigGenerate(m, c.key.secret, "", false); err == nil {
			c.verify = newVerifier(c.key, mac)
		}
	}
	if err != nil {
		return err
	}
	if err := c.extend(); err != nil {
		return err
	}
	_, err = c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...))
	return err
}

// extend sets the deadline for the next message. It fails if the context of the update has ended.
func (c *primaryConn) extend() error {
	if err := context.Cause(c.ctx); err != nil {
		return err
	}
	err := c.SetDeadline(time.Now().Add(c.limits.stall))
	return errors.Join(err, context.Cause(c.ctx)) // ctx may have ended just before the deadline was set
}

// next reads the next message of the answer, and verifies its signature. The message and its records are valid until
// the next call.
func (c *primaryConn) next() (*dns.Msg, error) {
	if err := c.extend(); err != nil {
		return nil, err
	}
	var length [2]byte
	if _, err := io.ReadFull(c, length[:]); err != nil {
		return nil, c.ended(err)
	}
	n := int(binary.BigEndian.Uint16(length[:]))
	if c.bytes += n; c.bytes > c.limits.bytes {
		return nil, fmt.Errorf("%w: more than %d MiB", blocklist.ErrTooLarge, c.limits.bytes>>20)
	}
	if cap(c.buf) < n {
		c.buf = make([]byte, 1<<16)
	}
	packet := c.buf[:n]
	if _, err := io.ReadFull(c, packet); err != nil {
		return nil, c.ended(err)
	}
	m := new(dns.Msg)
	if err := m.Unpack(packet); err != nil {
		return nil, fmt.Errorf("reading an answer: %w: %w", blocklist.ErrMalformed, err)
	}
	return m, c.check(m, packet)
}

// ended returns the error to report after a failed read: if the context of the update has ended, the cause of that.
func (c *primaryConn) ended(err error) error {
	switch {
	case c.ctx.Err() != nil:
		return context.Cause(c.ctx)
	case errors.Is(err, io.EOF):
		return fmt.Errorf("the connection was closed too early: %w", io.ErrUnexpectedEOF)
	}
	return err
}

// check validates the header and the signature of a message of the answer.
func (c *primaryConn) check(m *dns.Msg, packet []byte) error {
	if !m.Response || m.Opcode != dns.OpcodeQuery || m.Id != c.id || m.Truncated {
		return fmt.Errorf("reading an answer: %w: it is not one to the query", blocklist.ErrMalformed)
	}
	t := m.IsTsig()
	if m.Rcode != dns.RcodeSuccess {
		text := "the answer is " + dns.RcodeToString[m.Rcode]
		if t != nil && t.Error != dns.RcodeSuccess {
			text += ", " + tsigText(int(t.Error))
		}
		return errors.New(text)
	}
	if c.verify == nil {
		return nil
	}
	return c.verify.message(packet, t)
}

// askSOA asks the primary for the SOA record of the zone. It fails if the answer is not authoritative.
func (c *primaryConn) askSOA() (*dns.SOA, error) {
	if err := c.ask(new(dns.Msg).SetQuestion(c.zone, dns.TypeSOA)); err != nil {
		return nil, err
	}
	m, err := c.next()
	if err != nil {
		return nil, err
	}
	if c.verify != nil {
		if err := c.verify.end(); err != nil {
			return nil, err
		}
	}
	for _, rr := range m.Answer {
		if soa, ok := rr.(*dns.SOA); ok && dns.CanonicalName(soa.Hdr.Name) == c.zone && m.Authoritative {
			return soa, nil
		}
	}
	return nil, errors.New("the server does not have the zone: its answer is not authoritative, or has no SOA record")
}

// tsigStart returns the offset of the last record of a message, which has to be the TSIG record.
func tsigStart(packet []byte) int {
	last := 0
	for r := range dnswire.Records(packet) {
		last = r.Owner
	}
	return last
}
