package batch

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// WantLocal makes answers of a socket with several addresses leave from the one to which their question came
// (IP_PKTINFO).
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

// Share lets further sockets be bound to the address of this one, among which the datagrams are divided (SO_REUSEPORT).
// The first one is bound without, so that an address of another program is still refused.
func Share(raw syscall.RawConn) error {
	var errShare error
	err := raw.Control(func(fd uintptr) {
		errShare = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	})
	return errors.Join(err, errShare)
}

// CanShare reports whether the system has [Share].
const CanShare = true

// ReadBuffer returns the size of the receive buffer that the system has granted, in bytes; 0 if it is not known. The
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
