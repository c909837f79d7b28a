package batch

import (
	"encoding/binary"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// controlSize is the buffer size for a control message with the local address (IPV6_PKTINFO or IP_PKTINFO), in bytes.
const controlSize = 40

// message is the struct mmsghdr of the system.
type message struct {
	header unix.Msghdr
	length uint32
}

// Peer is the remote address of a datagram, and the local address that received it.
type Peer struct {
	name       unix.RawSockaddrInet6 // it may contain a RawSockaddrInet4, which is shorter
	nameLen    uint32
	controlLen uint32
	control    [controlSize]byte
}

// Addr returns the remote address. It allocates only for addresses with a zone.
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

// Datagrams is a batch of received datagrams.
type Datagrams struct {
	messages [Size]message
	vectors  [Size]unix.Iovec
	peers    [Size]Peer
	buffers  [Size][MaxDatagram]byte
	n        int
}

func newDatagrams() *Datagrams {
	d := new(Datagrams)
	for i := range d.messages {
		d.vectors[i].Base = &d.buffers[i][0]
		d.vectors[i].SetLen(MaxDatagram)
		h := &d.messages[i].header
		h.Iov = &d.vectors[i]
		h.SetIovlen(1)
		h.Name = (*byte)(unsafe.Pointer(&d.peers[i].name))
		h.Control = &d.peers[i].control[0]
	}
	d.n = Size
	return d
}

// maxDrain is the maximum number of batches that are read from a socket after Finish. Any further datagrams arrived
// after Finish.
const maxDrain = 256

// drain passes all datagrams in the receive buffer of a socket to the handler.
func (d *Datagrams) drain(fd int, handler func(*Datagrams, error)) {
	for range maxDrain {
		if !d.dispatch(fd, handler) {
			return
		}
	}
}

// dispatch reads a batch from a socket and calls the handler with it, or with an error. It returns false if there were
// no datagrams.
func (d *Datagrams) dispatch(fd int, handler func(*Datagrams, error)) bool {
	switch err := d.receive(fd); {
	case err != nil:
		handler(nil, err)
	case d.n > 0:
		handler(d, nil)
	default: // the datagrams had wrong checksums
		return false
	}
	return true
}

// receive reads a batch of up to Size datagrams, without waiting.
func (d *Datagrams) receive(fd int) error {
	for i := range d.n {
		d.messages[i].header.Namelen = uint32(unsafe.Sizeof(d.peers[i].name))
		d.messages[i].header.SetControllen(controlSize)
	}
	d.n = 0
	n, _, errno := syscall.Syscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&d.messages[0])), Size,
		unix.MSG_DONTWAIT, 0, 0)
	switch errno {
	case 0:
	case unix.EAGAIN, unix.EINTR:
		return nil
	default:
		return os.NewSyscallError("recvmmsg", errno)
	}
	d.n = int(n)
	for i := range d.n {
		d.setControl(i)
	}
	return nil
}

// setControl changes the control message of the i-th datagram into one for its answer. It keeps the local address, from
// which the answer is sent, but removes the interface, so that the route determines the interface.
func (d *Datagrams) setControl(i int) {
	p, h := &d.peers[i], &d.messages[i].header
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

// Len returns the number of datagrams.
func (d *Datagrams) Len() int { return d.n }

// Packet returns the i-th datagram, or nil if it was too long.
func (d *Datagrams) Packet(i int) []byte {
	if d.messages[i].header.Flags&unix.MSG_TRUNC != 0 {
		return nil
	}
	size := d.messages[i].length
	return d.buffers[i][:size:size]
}

// Peer returns the remote address of the i-th datagram.
func (d *Datagrams) Peer(i int) *Peer { return &d.peers[i] }
