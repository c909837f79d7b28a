package batch

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

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

// CanShare reports whether [Share] is of use here.
const CanShare = true

// ReadBuffer returns the size of the buffer for datagrams that came, in bytes, as it was granted; 0 if that can't be told. The
// system counts twice as much, for its own needs (socket(7)).
func ReadBuffer(conn *net.UDPConn) (size int) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0
	}
	err = raw.Control(func(fd uintptr) { size, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF) })
	if err != nil {
		return 0
	}
	return size / 2
}
