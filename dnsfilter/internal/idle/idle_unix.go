//go:build unix

// Package idle waits for idle connections to become readable.
package idle

import (
	"crypto/tls"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// Wait waits until a TCP connection, or a TLS connection over TCP, is readable or has reached its read deadline. For
// other connections it returns at once. The caller must have read all data that was received before. A goroutine that
// waits here needs only the smallest stack, half of what it would need in the Read of a TLS connection.
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

// isReadable reports whether reading from fd would not wait.
func isReadable(fd uintptr) bool {
	fds := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, _ := unix.Poll(fds[:], 0)
	return n != 0
}
