package service

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/argine-dns/argine/dnsfilter"
)

// errNotTakenOver is why a service that has released its store begins again.
var errNotTakenOver = errors.New("the successor has not taken over")

// serveHandover has a successor wait for its turn.
func (s *Service) serveHandover(w http.ResponseWriter, r *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		refuseControl(w, err)
		return
	}
	if successor, ok := conn.(*net.UnixConn); ok {
		select {
		case s.successors <- successor:
			return
		case <-r.Context().Done(): // it is the end anyway, or another one was first
		}
	}
	_ = conn.Close()
}

// awaitSuccessor hands the place over if one asks for it, until ctx ends.
func (s *Service) awaitSuccessor(ctx context.Context, endWork func(), l *dnsfilter.Listeners, sockets handles) error {
	select {
	case <-ctx.Done():
	case conn := <-s.successors:
		defer conn.Close() //nolint:errcheck // everything was said
		s.log.Info("a successor takes over")
		s.handingOver.Store(true)
		endWork()
		<-s.released
		err := handOver(ctx, conn, sockets)
		switch {
		case err == nil:
			l.Share() // by the successor
			return nil
		case ctx.Err() == nil:
			l.Share() // by restart
			s.log.Error("the successor has not taken over; starting again", slog.Any("error", err))
			return errNotTakenOver
		}
	}
	if !l.Shared() {
		sockets.close() // so that connections are refused, and do not wait
	}
	return nil
}

// handOver tells a successor that the store is released, passes the sockets when it wants them, and waits until it
// answers. However long it takes to make ready, queries are answered meanwhile; if it ends, its connection does. If ctx
// ends in the middle, the successor has a minute left: it would have nothing to take over otherwise.
func handOver(ctx context.Context, conn *net.UnixConn, sockets handles) error {
	said := func() error { _, err := io.ReadFull(conn, make([]byte, 1)); return err }
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now().Add(endWithin)) })
	defer stop()
	if _, err := io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: sockets\r\n\r\n"); err != nil {
		return err
	}
	if err := said(); err != nil {
		return err
	}
	if err := conn.SetDeadline(time.Now().Add(passWithin)); err != nil {
		return err
	}
	if err := sockets.pass(conn); err != nil {
		return err
	}
	return said()
}

// restart answers again after a successor has failed, on the same sockets.
func (s *Service) restart(ctx context.Context, reload <-chan struct{}, sockets handles, control *controlSocket) error {
	files := sockets.files()
	next, err := New(s.read, s.log)
	if err != nil {
		return err
	}
	next.Sockets = func() (Sockets, error) { return Sockets{Files: files}, nil }
	next.inherited = control
	return next.Run(ctx, reload)
}
