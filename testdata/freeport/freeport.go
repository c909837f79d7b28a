// Package freeport finds free ports for the servers of tests. Two tests never get the same port, even in two processes.
package freeport

import (
	"net"
	"strconv"
	"sync"
	"testing"
	"time"
)

// The range of the ports, which are reserved in blocks. It ends below the ports that systems give to outgoing
// connections (Linux: from 32768 on; RFC 6335: from 49152 on), so that a free port stays free until the test's server
// listens.
const (
	firstPort = 10_000
	lastPort  = 32_000
	blockSize = 100
)

// The blocks of ports of this process. The process listens on the first port of each block, which keeps other processes
// out of the block.
var (
	mu         sync.Mutex
	reserved   []net.Listener
	next, last int
)

// Addr returns an address on 127.0.0.1 whose port is free for TCP and UDP.
func Addr(t testing.TB) string {
	t.Helper()
	return At(t, "127.0.0.1")
}

// At is [Addr] for another address of this machine.
func At(t testing.TB, ip string) string {
	t.Helper()
	mu.Lock()
	defer mu.Unlock()
	for {
		if next == last {
			reserve(t)
		}
		next++
		if addr := net.JoinHostPort(ip, strconv.Itoa(next)); isFree(addr) {
			return addr
		}
	}
}

// reserve takes the next block of ports whose first port is free.
func reserve(t testing.TB) {
	t.Helper()
	for port := max(firstPort, last+1); port < lastPort; port += blockSize {
		if l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port)); err == nil {
			reserved = append(reserved, l)
			next, last = port, port+blockSize-1
			return
		}
	}
	t.Fatalf("no block of ports from %d to %d is free", firstPort, lastPort)
}

// isFree reports whether no server listens at an address. It does not listen there itself: a child process that is just
// being started would get a copy of the socket, and the port would stay in use after the socket is closed.
func isFree(addr string) bool {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err == nil {
		c.Close()
	}
	return err != nil
}
