package dnsfilter

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/argine-dns/argine/dnsfilter/internal/proxyheader"
)

const (
	acceptPause  = 10 * time.Millisecond // pause after a failed accept
	headerWithin = 2 * time.Second       // time limit for the PROXY header of a connection
)

// Accept accepts the connections of a listener until ctx ends, and calls handle for each connection that is admitted. A
// connection from one of [Config].Proxies has to begin with a PROXY header. The function handle must not block. It owns
// the connection, and has to call [Conn.Release] when the connection ends. Accept closes the listener before it
// returns. The error is nil if ctx has ended, or wraps [net.ErrClosed] if the listener was closed before.
func (s *Server) Accept(ctx context.Context, l net.Listener, how Transport, handle func(net.Conn, *Conn)) error {
	stop := context.AfterFunc(ctx, func() { _ = l.Close() }) // a second Close does no harm
	defer stop()
	defer l.Close() //nolint:errcheck // as above
	var headers sync.WaitGroup
	defer headers.Wait()
	for {
		conn, err := l.Accept()
		switch {
		case err == nil && s.isProxy(clientAddr(conn.RemoteAddr())):
			headers.Go(func() { s.acceptProxied(ctx, conn, how, handle) })
		case err == nil:
			s.accept(conn, clientAddr(conn.RemoteAddr()), how, handle)
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("serving: %w", err)
		default:
			time.Sleep(acceptPause) // a connection was reset, or file descriptors ran out: both are temporary
		}
	}
}

// accept passes a connection to handle if it is admitted, and otherwise closes it without an answer.
func (s *Server) accept(conn net.Conn, client netip.Addr, how Transport, handle func(net.Conn, *Conn)) {
	if c := s.Admit(conn, client, how); c != nil {
		handle(conn, c)
		return
	}
	_ = conn.Close()
}

// acceptProxied reads the PROXY header of a connection, and calls accept with the client address in the header. If the
// header is missing or invalid, it closes the connection.
func (s *Server) acceptProxied(ctx context.Context, conn net.Conn, how Transport, handle func(net.Conn, *Conn)) {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	client, err := proxyheader.Read(conn, headerWithin)
	if !stop() || err != nil {
		s.badHeaders.Add(1)
		_ = conn.Close()
		return
	}
	if !client.IsValid() {
		client = clientAddr(conn.RemoteAddr())
	}
	s.accept(conn, client, how, handle)
}

// isProxy reports whether an address is in one of [Config].Proxies. A connection from such an address has to begin with
// a PROXY header.
func (s *Server) isProxy(client netip.Addr) bool {
	return isWithin(s.current.Load().proxies, plainAddr(client))
}
