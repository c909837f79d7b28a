//go:build !linux

package batch

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
)

// Peer is the other end of a datagram.
type Peer struct{ addr netip.AddrPort }

// Addr returns the address of the other end.
func (p *Peer) Addr() netip.AddrPort { return netip.AddrPortFrom(p.addr.Addr().Unmap(), p.addr.Port()) }

// Reader reads datagrams from a socket.
type Reader struct {
	conn   *net.UDPConn
	buffer []byte
	n      int
	peer   Peer
}

// NewReader makes a reader of datagrams of at most limit bytes; longer ones are passed over.
func NewReader(conn *net.UDPConn, limit int) (*Reader, error) {
	return &Reader{conn: conn, buffer: make([]byte, limit+1)}, nil
}

// Read waits for datagrams and returns how many came. It fails with [os.ErrDeadlineExceeded] and [net.ErrClosed] as reads of
// the connection do; other errors concern one datagram, and the next Read may succeed.
func (r *Reader) Read() (int, error) {
	var err error
	if r.n, r.peer.addr, err = r.conn.ReadFromUDPAddrPort(r.buffer); err != nil {
		return 0, err
	}
	return 1, nil
}

// Packet returns the i-th datagram of the last Read; nil if it was longer than the limit. It is overwritten by the next one.
func (r *Reader) Packet(int) []byte {
	if r.n == len(r.buffer) {
		return nil
	}
	return r.buffer[:r.n]
}

// Peer returns where the i-th datagram of the last Read came from. It is overwritten by the next one.
func (r *Reader) Peer(int) *Peer { return &r.peer }

// Writer writes datagrams.
type Writer struct{ conn *net.UDPConn }

// NewWriter makes a writer.
func NewWriter(conn *net.UDPConn) (*Writer, error) { return &Writer{conn}, nil }

// Full tells that the next Add is not possible before a Flush.
func (w *Writer) Full() bool { return false }

// Add writes a datagram; to is nil if the socket is connected.
func (w *Writer) Add(packet []byte, to *Peer) {
	if to == nil {
		_, _ = w.conn.Write(packet) // lost, as the network loses datagrams
		return
	}
	_, _ = w.conn.WriteToUDPAddrPort(packet, to.addr)
}

// Flush writes what was collected.
func (w *Writer) Flush() {}

// WantLocal does nothing here: bind to one address where there are several.
func WantLocal(*net.UDPConn) error { return nil }

// Share is not possible here.
func Share(syscall.RawConn) error { return errors.ErrUnsupported }

// CanShare tells whether [Share] is of use here.
const CanShare = false
