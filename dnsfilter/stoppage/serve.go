package stoppage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// Limits of a connection, and of all connections together. While more than half of maxConns are open, each connection
// is closed after its answer.
const (
	maxConns     = 5000 // maximum number of connections per listener
	maxHeader    = 8 << 10
	headerWithin = 5 * time.Second
	answerWithin = 10 * time.Second
	idleWithin   = 5 * time.Second
)

// ServeHTTPOn answers HTTP requests on a listener until ctx ends. Then it closes the listener.
func (s *Server) ServeHTTPOn(ctx context.Context, l net.Listener) error {
	h := http.Server{
		Handler: s, MaxHeaderBytes: maxHeader, ReadHeaderTimeout: headerWithin, ReadTimeout: headerWithin,
		WriteTimeout: answerWithin, IdleTimeout: idleWithin, DisableGeneralOptionsHandler: true,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // it would have addresses of visitors
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				s.open.Add(1)
			case http.StateClosed, http.StateHijacked:
				s.open.Add(-1)
			default:
			}
		},
	}
	stop := context.AfterFunc(ctx, func() { _ = h.Close() }) // a visitor can repeat a request that was cut off
	defer stop()
	if err := h.Serve(netutil.LimitListener(l, maxConns)); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving the stop page: %w", err)
	}
	return nil
}

// unrecognizedName is a TLS record with the fatal alert unrecognized_name: the server has no certificate for the name
// (RFC 6066, section 3).
const unrecognizedName = "\x15\x03\x03\x00\x02\x02\x70"

// helloWithin is how long a client has to send the first bytes of the TLS handshake.
const helloWithin = 2 * time.Second

// RefuseTLSOn refuses each TLS connection on a listener until ctx ends. Then it closes the listener.
func (s *Server) RefuseTLSOn(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	for limited := netutil.LimitListener(l, maxConns); ; {
		conn, err := limited.Accept()
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			go s.refuse(conn)
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("refusing TLS at the stop page: %w", err)
		default: // too many files, or the client is gone
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// refuse sends the alert unrecognized_name and closes the connection. It first waits for the beginning of the
// handshake, so that the client reads the alert.
func (s *Server) refuse(conn net.Conn) {
	defer conn.Close() //nolint:errcheck // nothing more is sent
	s.refused.Add(1)
	if conn.SetDeadline(time.Now().Add(helloWithin)) != nil {
		return
	}
	if _, err := conn.Read(make([]byte, 4<<10)); err == nil {
		_, _ = conn.Write([]byte(unrecognizedName)) // the client may be gone
	}
}
