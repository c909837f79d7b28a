//go:build unix

// Package idle waits on connections that say nothing.
package idle

import (
	"crypto/tls"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// Wait returns when something can be read from a TCP connection, or a TLS connection over TCP, or at its read deadline.
// For other connections it returns at once. The caller has read all that was received before. A goroutine that waits
// here needs the smallest stack there is. To wait in the Read of a TLS connection, it would need twice as much.
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
