//go:build !unix

// Package idle waits on connections that say nothing.
package idle

import "net"

// Wait returns at once.
func Wait(net.Conn) {}
