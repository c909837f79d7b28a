package service

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/argine-dns/argine/dnsfilter"
)

// errNotTakenOver is the error of awaitSuccessor after a failed hand-over. It makes Run start the service again.
var errNotTakenOver = errors.New("the successor has not taken over")

// errSupervised is the error for the request of a successor while a supervisor (systemd, or another one with the same
// notifications) runs this process. The supervisor starts another process when this one ends. Systemd does not accept a
// main process from outside the cgroup of the unit (MAINPID= in sd_notify(3)), and the successor would not have the
// sandbox of the unit.
var errSupervised = errors.New("systemd runs this server, and would start another one beside its successor: " +
	"type systemctl restart dnsfilter, which with the socket unit loses no query")

// serveHandover accepts the request of a successor, and passes its connection to awaitSuccessor.
func (s *Service) serveHandover(w http.ResponseWriter, r *http.Request) {
	if os.Getenv("NOTIFY_SOCKET") != "" {
		refuseControl(w, errSupervised)
		return
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		refuseControl(w, err)
		return
	}
	if successor, ok := conn.(*net.UnixConn); ok {
		select {
		case s.successors <- successor:
			return
		case <-r.Context().Done(): // the service ends anyway, or another successor was first
		}
	}
	_ = conn.Close()
}

// awaitSuccessor waits for a successor until ctx ends, and hands over to it. It calls endWork so that the store is
// released. It returns errNotTakenOver if the hand-over fails.
func (s *Service) awaitSuccessor(ctx context.Context, endWork func(), l *dnsfilter.Listeners, sockets handles) error {
	select {
	case <-ctx.Done():
	case conn := <-s.successors:
		defer conn.Close() //nolint:errcheck // nothing more is sent
		s.log.Info("a successor takes over")
		s.handingOver.Store(true)
		endWork()
		<-s.released
		err := handOver(ctx, conn, sockets)
		switch {
		case err == nil:
			l.Share() // with the successor
			return nil
		case ctx.Err() == nil:
			l.Share() // with the restarted service
			s.log.Error("the successor has not taken over; starting again", slog.Any("error", err))
			return errNotTakenOver
		}
	}
	if !l.Shared() {
		sockets.close() // so that new connections are refused instead of waiting
	}
	return nil
}

// handOver tells the successor that the store is released, passes the sockets when the successor asks for them, and
// waits until the successor answers queries. This process answers queries until then, so the successor may prepare for
// any length of time. If the process of the successor ends, the connection ends, and handOver fails. After ctx has
// ended, the successor has one more minute.
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

// restart makes this process serve again on the same sockets, after a hand-over has failed.
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
