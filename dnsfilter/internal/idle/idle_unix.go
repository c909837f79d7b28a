//go:build unix

// Package idle waits on connections that say nothing.
package idle

import (
	"crypto/tls"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// Wait returns when something can be read from a connection, or at its read deadline, or at once for connections of
// other kinds than TCP, or TLS on it. All that was received has to have been read. A goroutine that waits here needs
// the smallest stack there is; one that waits in the Read of a TLS connection needs twice as much.
func Wait(conn net.Conn) {
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn()
	}
	c, ok := conn.(syscall.Conn)
	if !ok {
		return
	}
	if raw, err := c.SyscallConn(); err == nil {
		_ = raw.Read(isReadable) // the next Read returns the error
	}
}

// isReadable reports whether a read would not wait.
func isReadable(fd uintptr) bool {
	fds := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, _ := unix.Poll(fds[:], 0)
	return n != 0
}
