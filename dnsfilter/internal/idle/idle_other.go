//go:build !unix

// Package idle waits for idle connections to become readable.
package idle

import "net"

// Wait returns at once, since this system has no way to wait with a small stack.
func Wait(net.Conn) {}
