//go:build !linux

package batch

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// Peer is the remote address of a datagram.
type Peer struct{ addr netip.AddrPort }

// Addr returns the remote address.
func (p *Peer) Addr() netip.AddrPort { return netip.AddrPortFrom(p.addr.Addr().Unmap(), p.addr.Port()) }

// Loop reads the datagrams of its sockets, one at a time.
type Loop struct {
	mu   sync.Mutex
	idle func()
}

// NewLoop creates a loop. The loop calls idle after each call of a handler.
func NewLoop(idle func()) *Loop { return &Loop{idle: idle} }

// Open adds a socket to the loop. From now on, the loop owns conn.
func (l *Loop) Open(conn *net.UDPConn) (*Socket, error) {
	return &Socket{loop: l, conn: conn, released: make(chan struct{})}, nil
}

func (l *Loop) read(conn *net.UDPConn, handler func(*Datagrams, error)) {
	in := &Datagrams{buffer: make([]byte, MaxDatagram+1)}
	for {
		var err error
		in.size, in.peer.addr, err = conn.ReadFromUDPAddrPort(in.buffer)
		if errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		l.mu.Lock()
		handler(in, err)
		l.idle()
		l.mu.Unlock()
	}
}

// Datagrams is a batch of received datagrams. On this system, it has a single datagram.
type Datagrams struct {
	buffer []byte
	size   int
	peer   Peer
}

// Len returns the number of datagrams.
func (d *Datagrams) Len() int { return 1 }

// Packet returns the i-th datagram, or nil if it was too long.
func (d *Datagrams) Packet(int) []byte {
	if d.size == len(d.buffer) {
		return nil
	}
	return d.buffer[:d.size]
}

// Peer returns the remote address of the i-th datagram.
func (d *Datagrams) Peer(int) *Peer { return &d.peer }

// Socket is a UDP socket of a [Loop].
type Socket struct {
	loop     *Loop
	conn     *net.UDPConn
	once     sync.Once
	released chan struct{}
}

// Read sets the function that is called for each received datagram, and with an error if receiving fails. The datagram
// is valid until the handler returns.
func (s *Socket) Read(handler func(*Datagrams, error)) { go s.loop.read(s.conn, handler) }

// CloseRead ends reading. Writing is still possible.
func (s *Socket) CloseRead() { _ = s.conn.SetReadDeadline(time.Now()) } // it fails on closed sockets only

// Finish ends reading. On this system, it loses datagrams that the socket has received and not read.
func (s *Socket) Finish() { s.CloseRead() }

// Close closes the socket.
func (s *Socket) Close() {
	s.once.Do(func() {
		_ = s.conn.Close() // the error does not matter
		close(s.released)
	})
}

// Closed returns a channel that is closed when the socket is closed.
func (s *Socket) Closed() <-chan struct{} { return s.released }

// Writer writes datagrams.
type Writer struct{ conn *net.UDPConn }

// NewWriter creates a writer of the socket.
func (s *Socket) NewWriter() *Writer { return &Writer{s.conn} }

// Full reports whether Flush has to be called before the next Add.
func (w *Writer) Full() bool { return false }

// Add writes a datagram to a peer. The peer is nil if the socket is connected.
func (w *Writer) Add(packet []byte, to *Peer) {
	if to == nil {
		_, _ = w.conn.Write(packet) // lost, as the network loses datagrams
		return
	}
	_, _ = w.conn.WriteToUDPAddrPort(packet, to.addr)
}

// Flush does nothing, since Add writes at once.
func (w *Writer) Flush() {}

// WantLocal does nothing on this system. So a server on a host with several addresses has to bind to one of them.
func WantLocal(*net.UDPConn) error { return nil }

// Share returns an error, since sockets can't share an address on this system.
func Share(syscall.RawConn) error { return errors.ErrUnsupported }

// CanShare reports whether the system supports [Share].
const CanShare = false

// ReadBuffer returns 0: the size of the receive buffer is unknown on this system.
func ReadBuffer(*net.UDPConn) int { return 0 }
