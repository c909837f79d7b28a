package rpz

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"time"

	"github.com/miekg/dns"
)

// IsCurrent reports whether the zone has the current entries of all sources.
func (z *Zone) IsCurrent() bool {
	s := z.current.Load()
	for i := range z.config.Load().Sources {
		src := &z.config.Load().Sources[i]
		v, err := src.version(i)
		if s == nil || err != nil || s.Sources[i].Version != v {
			return false
		}
	}
	return true
}

// Update makes the zone as its sources are now.
func (z *Zone) Update(ctx context.Context) error { return z.update(ctx) }

// Limit sets the limits of transfers.
func (s *Secondary) Limit(records, bytes int, within, stall time.Duration) {
	s.limits = transferLimits{records, bytes, within, stall}
}

// ReadTransfer applies a transfer, as it comes from a connection, to the file of a secondary. It reports whether it was
// whole.
func (s *Secondary) ReadTransfer(stream []byte) bool {
	for i := 0; i+4 <= len(stream); i += 2 + int(binary.BigEndian.Uint16(stream[i:])) {
		stream[i+2], stream[i+3] = 0, 0 // the ID
	}
	c := &primaryConn{
		Conn: readConn{Reader: bytes.NewReader(stream)}, ctx: context.Background(), zone: dns.Fqdn(s.Zone.String()), limits: s.limit(),
	}
	have := s.newest()
	var u Update
	var err error
	if have == nil {
		u, err = s.full(c)
	} else {
		u, err = s.incremental(c, have)
	}
	return err == nil && u.Replaced
}

// readConn is a connection that only reads.
type readConn struct {
	net.Conn
	io.Reader
}

func (c readConn) Read(b []byte) (int, error) { return c.Reader.Read(b) }
func (readConn) Write(b []byte) (int, error)  { return len(b), nil }
func (readConn) SetDeadline(time.Time) error  { return nil }
