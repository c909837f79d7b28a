package service

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/config"
)

// A hand-over, over the control socket. The successor asks; the service releases the store, says so, and goes on
// answering from what it holds. When the successor has made ready, it says so with a byte, and gets the sockets with
// all that is still in them, each with a byte, and then a byte alone. When it answers, it says so with another byte. So
// a query is answered by the one or by the other, and whatever goes wrong with the successor, the service goes on.
const (
	releaseWithin = time.Minute      // for a list that is being compiled
	passWithin    = 10 * time.Second // for the sockets
	endWithin     = time.Minute      // for the successor, once this service is asked to end
)

// errNotTakenOver is why a service that has released its store begins again.
var errNotTakenOver = errors.New("the successor has not taken over")

// Sockets are open sockets for a [Service] to answer on.
type Sockets struct {
	Files []*os.File // are closed by the service
	// Held says that anyone who has passed them on keeps them, as systemd does, and passes them to the next process as
	// well. When the service ends, it then leaves what comes in them to that one.
	Held bool
	// Taken is called when queries are answered on them. Nil: no one waits for that.
	Taken func() error
}

// Predecessor is a running service that has released its store, and answers until its sockets are taken.
type Predecessor struct{ conn *net.UnixConn }

// TakeOver has the service that runs with a state folder release it for this process, which is then to make a service
// and to let it have the predecessor's [Predecessor.Sockets]. It fails with [ErrNotRunning] if none runs.
func TakeOver(ctx context.Context, state string) (*Predecessor, error) {
	path, err := config.ControlSocket(state)
	if err != nil {
		return nil, fmt.Errorf("taking over: %w", err)
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("taking over: asking %s: %w: %w", path, ErrNotRunning, err)
	}
	p := &Predecessor{conn.(*net.UnixConn)} //nolint:forcetypeassert // the network is unix
	if err := p.ask(); err != nil {
		return nil, fmt.Errorf("taking over: asking %s: %w", path, errors.Join(err, p.Close()))
	}
	return p, nil
}

func (p *Predecessor) ask() error {
	if err := p.conn.SetDeadline(time.Now().Add(releaseWithin)); err != nil {
		return err
	}
	if _, err := io.WriteString(p.conn, "POST /handover HTTP/1.1\r\nHost: control\r\n\r\n"); err != nil {
		return err
	}
	response, err := http.ReadResponse(bufio.NewReader(io.LimitReader(p.conn, maxControlRequest)), nil)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // it was only read
	if response.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("it answers %s: the version that runs can't hand over; end it first", response.Status)
	}
	return nil
}

// Sockets takes the sockets. The predecessor ends when it is told that they are answered on, and answers what it has
// begun.
func (p *Predecessor) Sockets() (s Sockets, err error) {
	if err = p.conn.SetDeadline(time.Now().Add(passWithin)); err == nil {
		err = p.say()
	}
	for err == nil {
		var f *os.File
		if f, err = receiveSocket(p.conn); f == nil {
			break
		}
		s.Files = append(s.Files, f)
	}
	if err != nil {
		for _, f := range s.Files {
			_ = f.Close()
		}
		return Sockets{}, fmt.Errorf("taking the sockets over: %w", err)
	}
	s.Taken = p.say
	return s, nil
}

// say tells the predecessor that this process has come a step further.
func (p *Predecessor) say() error {
	_, err := p.conn.Write([]byte{0})
	return err
}

// Close gives up: a predecessor that was not told that its sockets are answered on begins again.
func (p *Predecessor) Close() error { return p.conn.Close() }

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
