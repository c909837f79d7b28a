package service

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/argine-dns/argine/dnsfilter/config"
)

// The hand-over protocol, over the control socket. The successor requests it. The service releases the store, confirms
// that, and goes on answering queries from its lists. When the successor is ready, it sends a byte. The service answers
// with the sockets, and the queries that wait in them: each socket with one byte, and at the end one byte without a
// socket. When the successor answers queries, it sends another byte. So each query is answered by one of the two
// processes, and if the successor fails, the service goes on.
const (
	// releaseWithin is the time limit for releasing the store. It is long, since a list may still be compiled.
	releaseWithin = time.Minute
	passWithin    = 10 * time.Second // time limit for passing the sockets
	endWithin     = time.Minute      // time limit for the successor to take over, after this service was told to end
)

// Predecessor is a connection to a service that has released its store. That service answers queries until a successor
// takes its sockets.
type Predecessor struct{ conn *net.UnixConn }

// TakeOver makes the service that runs with the given state folder release its store. After that, this process can
// create a service with [Predecessor.Sockets] as its [Service].Sockets. The error wraps [ErrNotRunning] if there is no
// such service. TakeOver also fails if systemd runs the service (NOTIFY_SOCKET): such a service does not hand over.
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
	if response.StatusCode == http.StatusSwitchingProtocols {
		return nil
	}
	var refused controlError
	if json.NewDecoder(response.Body).Decode(&refused) == nil {
		return errors.New(refused.Error)
	}
	return fmt.Errorf("it answers %s: the version that runs can't hand over; end it first", response.Status)
}

// Sockets receives the open sockets of the predecessor. The field Taken of the result tells the predecessor that this
// process answers queries. Until then the predecessor goes on answering the queries that it has read; after that it
// ends.
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

// say sends a byte to the predecessor. It means that this process has reached the next step of the hand-over protocol.
func (p *Predecessor) say() error {
	_, err := p.conn.Write([]byte{0})
	return err
}

// Close closes the connection. If Taken has not been called by then, the predecessor continues to serve.
func (p *Predecessor) Close() error { return p.conn.Close() }
