package batch

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// WantLocal makes a socket report the local address of each received datagram (IP_PKTINFO). So on a host with several
// addresses, an answer can be sent from the address that received the query.
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

// Share allows other sockets to bind to the address of this socket (SO_REUSEPORT). The system distributes the datagrams
// among them. Call it after the first socket is bound, so that binding fails if another program uses the address.
func Share(raw syscall.RawConn) error {
	var errShare error
	err := raw.Control(func(fd uintptr) {
		errShare = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	})
	return errors.Join(err, errShare)
}

// CanShare reports whether the system supports [Share].
const CanShare = true

// ReadBuffer returns the size of the receive buffer that the system has granted, in bytes, or 0 if it is unknown. That
// is half of what Linux reports, since Linux doubles the size for its overhead (socket(7)).
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
