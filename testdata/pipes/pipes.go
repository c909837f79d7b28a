// Package pipes has a listener with connections in memory, for servers in a bubble of testing/synctest, where hours of
// waiting take no time.
package pipes

import (
	"net"
	"sync"
)

// Listener is a [net.Listener] in memory. It accepts the connections that Dial makes, and those that are sent to Conns.
type Listener struct {
	Conns  chan net.Conn
	closed chan struct{}
	close  func()
}

// Listen returns an open listener.
func Listen() *Listener {
	l := &Listener{Conns: make(chan net.Conn), closed: make(chan struct{})}
	l.close = sync.OnceFunc(func() { close(l.closed) })
	return l
}

// Dial connects to the listener. It waits until Accept takes the connection, and returns the client's end. It fails
// with [net.ErrClosed] after Close.
func (l *Listener) Dial() (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.Conns <- server:
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Accept implements [net.Listener].
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.Conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (l *Listener) Close() error {
	l.close()
	return nil
}

// Addr implements [net.Listener].
func (l *Listener) Addr() net.Addr { return &net.TCPAddr{} }
