package batch

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// controlSize holds the one control message that is asked for: IPV6_PKTINFO or IP_PKTINFO.
const controlSize = 40

// message is struct mmsghdr.
type message struct {
	header unix.Msghdr
	length uint32
}

// Peer is the other end of a datagram, and which of our own addresses it was sent to.
type Peer struct {
	name       unix.RawSockaddrInet6 // or RawSockaddrInet4, which is shorter
	nameLen    uint32
	controlLen uint32
	control    [controlSize]byte
}

// Addr returns the address of the other end. It allocates for addresses with a zone only.
func (p *Peer) Addr() netip.AddrPort {
	port := binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&p.name.Port))[:])
	if p.name.Family == unix.AF_INET {
		return netip.AddrPortFrom(netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(&p.name)).Addr), port)
	}
	addr := netip.AddrFrom16(p.name.Addr).Unmap()
	if p.name.Scope_id != 0 && addr.Is6() {
		addr = addr.WithZone(strconv.Itoa(int(p.name.Scope_id)))
	}
	return netip.AddrPortFrom(addr, port)
}

// Reader reads datagrams from a socket.
type Reader struct {
	raw      syscall.RawConn
	messages [Size]message
	vectors  [Size]unix.Iovec
	peers    [Size]Peer
	buffers  []byte
	limit    int
	n        int
	errno    syscall.Errno
	receive  func(fd uintptr) bool
}

// NewReader makes a reader of datagrams of at most limit bytes; longer ones are passed over.
func NewReader(conn *net.UDPConn, limit int) (*Reader, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	r := &Reader{raw: raw, limit: limit, buffers: make([]byte, Size*limit)}
	for i := range r.messages {
		r.vectors[i].Base = &r.buffers[i*limit]
		r.vectors[i].SetLen(limit)
		h := &r.messages[i].header
		h.Iov = &r.vectors[i]
		h.SetIovlen(1)
		h.Name = (*byte)(unsafe.Pointer(&r.peers[i].name))
		h.Control = &r.peers[i].control[0]
	}
	r.n = Size
	r.receive = r.tryReceive
	return r, nil
}

// tryReceive is false where there is nothing to read yet.
func (r *Reader) tryReceive(fd uintptr) bool {
	for {
		n, _, errno := syscall.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&r.messages[0])), Size, unix.MSG_DONTWAIT, 0, 0)
		if errno == unix.EAGAIN {
			return false
		}
		if errno != unix.EINTR {
			r.n, r.errno = int(n), errno
			return true
		}
	}
}

// Read waits for datagrams and returns how many came. It fails with [os.ErrDeadlineExceeded] and [net.ErrClosed] as reads of
// the connection do; other errors concern one datagram, and the next Read may succeed.
func (r *Reader) Read() (int, error) {
	for i := range r.n {
		r.messages[i].header.Namelen = uint32(unsafe.Sizeof(r.peers[i].name))
		r.messages[i].header.SetControllen(controlSize)
	}
	r.n, r.errno = 0, 0
	if err := r.raw.Read(r.receive); err != nil {
		return 0, err
	}
	if r.errno != 0 {
		r.n = 0
		return 0, os.NewSyscallError("recvmmsg", r.errno)
	}
	for i := range r.n {
		r.finish(i)
	}
	return r.n, nil
}

// finish makes the control message that came with a datagram the one that goes with the answer: the address that the
// datagram was sent to becomes that of the sender, on whatever interface the route says.
func (r *Reader) finish(i int) {
	p, h := &r.peers[i], &r.messages[i].header
	p.nameLen, p.controlLen = h.Namelen, 0
	if h.Controllen == 0 || h.Flags&unix.MSG_CTRUNC != 0 {
		return
	}
	c := (*unix.Cmsghdr)(unsafe.Pointer(&p.control[0]))
	data := unsafe.Pointer(&p.control[unix.CmsgLen(0)])
	switch {
	case c.Level == unix.IPPROTO_IP && c.Type == unix.IP_PKTINFO:
		(*unix.Inet4Pktinfo)(data).Ifindex = 0
	case c.Level == unix.IPPROTO_IPV6 && c.Type == unix.IPV6_PKTINFO:
		(*unix.Inet6Pktinfo)(data).Ifindex = 0
	default:
		return
	}
	p.controlLen = uint32(h.Controllen)
}

// Packet returns the i-th datagram of the last Read; nil if it was longer than the limit. It is overwritten by the next one.
func (r *Reader) Packet(i int) []byte {
	if r.messages[i].header.Flags&unix.MSG_TRUNC != 0 {
		return nil
	}
	return r.buffers[i*r.limit : i*r.limit+int(r.messages[i].length) : (i+1)*r.limit]
}

// Peer returns where the i-th datagram of the last Read came from. It is overwritten by the next one.
func (r *Reader) Peer(i int) *Peer { return &r.peers[i] }

// Writer collects datagrams and writes them at once.
type Writer struct {
	raw      syscall.RawConn
	messages [Size]message
	vectors  [Size]unix.Iovec
	n        int // collected
	sent     int
	send     func(fd uintptr) bool
}

// NewWriter makes a writer.
func NewWriter(conn *net.UDPConn) (*Writer, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	w := &Writer{raw: raw}
	for i := range w.messages {
		h := &w.messages[i].header
		h.Iov = &w.vectors[i]
		h.SetIovlen(1)
	}
	w.send = w.trySend
	return w, nil
}

// Full tells that the next Add is not possible before a Flush.
func (w *Writer) Full() bool { return w.n == Size }

// Add collects a datagram, which is not empty; to is nil if the socket is connected. Neither may change before Flush.
func (w *Writer) Add(packet []byte, to *Peer) {
	h := &w.messages[w.n].header
	h.Name, h.Namelen, h.Control = nil, 0, nil
	h.SetControllen(0)
	if to != nil {
		h.Name, h.Namelen = (*byte)(unsafe.Pointer(&to.name)), to.nameLen
		if to.controlLen > 0 {
			h.Control = &to.control[0]
			h.SetControllen(int(to.controlLen))
		}
	}
	w.vectors[w.n].Base = &packet[0]
	w.vectors[w.n].SetLen(len(packet))
	w.n++
}

// trySend is false while the socket takes nothing more. A datagram that can't be sent is passed over.
func (w *Writer) trySend(fd uintptr) bool {
	for w.sent < w.n {
		n, _, errno := syscall.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&w.messages[w.sent])), uintptr(w.n-w.sent), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			w.sent += int(n)
		case unix.EINTR:
		case unix.EAGAIN:
			return false
		default:
			w.sent++
		}
	}
	return true
}

// Flush writes what was collected. Datagrams that the system does not take are lost, as the network loses them.
func (w *Writer) Flush() {
	if w.n == 0 {
		return
	}
	w.sent = 0
	_ = w.raw.Write(w.send) // its one error is that the socket was closed
	w.n = 0
}

// WantLocal makes answers leave from the address that their question was sent to, where the socket has several.
func WantLocal(conn *net.UDPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	level, option := unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO
	if at, ok := conn.LocalAddr().(*net.UDPAddr); ok && at.IP.To4() != nil {
		level, option = unix.IPPROTO_IP, unix.IP_PKTINFO
	}
	var errWant error
	err = raw.Control(func(fd uintptr) { errWant = unix.SetsockoptInt(int(fd), level, option, 1) })
	return errors.Join(err, errWant)
}

// Share lets further sockets be bound to the address of this one, each of which gets its part of the datagrams. The first
// one is bound without: so an address that another program has is still refused.
func Share(raw syscall.RawConn) error {
	var errShare error
	err := raw.Control(func(fd uintptr) { errShare = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
	return errors.Join(err, errShare)
}

// CanShare tells whether [Share] is of use here.
const CanShare = true
