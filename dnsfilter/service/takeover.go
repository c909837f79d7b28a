package service

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

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
