package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"

	"github.com/argine-dns/argine/dnsfilter"
)

// openListeners opens sockets at the addresses. If a given socket has one of the addresses, openListeners takes that
// socket instead of opening a new one. It closes the other given sockets.
func openListeners(ctx context.Context, given Sockets, at []string, log *slog.Logger) (*dnsfilter.Listeners, error) {
	open := new(dnsfilter.Listeners)
	for _, f := range given.Files {
		if err := errors.Join(open.Adopt(f), f.Close()); err != nil {
			return nil, errors.Join(fmt.Errorf("taking a socket over: %w", err), open.Close())
		}
	}
	l, err := dnsfilter.ListenFrom(ctx, open, at...)
	if err != nil {
		return nil, err
	}
	for _, unused := range open.Addrs() {
		log.Warn("a socket that was passed on is closed: listen does not name its address",
			slog.String("address", unused.Network()+"://"+unused.String()))
	}
	if given.Held {
		l.Share()
	}
	if n := l.ReceiveBuffer(); n > 0 && n < dnsfilter.SocketBuffer {
		log.Warn("the system grants a smaller receive buffer than was asked for: bursts of queries may be lost; "+
			"as root: sysctl -w net.core.rmem_max="+strconv.Itoa(dnsfilter.SocketBuffer), slog.Int("bytes", n))
	}
	return l, open.Close()
}

// Sockets has open sockets that another process has passed to this process, for a [Service].
type Sockets struct {
	Files []*os.File // open sockets; the service closes them
	// Held says that the process that passed the sockets keeps them open, as systemd does, and will pass them to the
	// next service, too. So when this service ends, it leaves unread queries in the sockets for the next one.
	Held bool
	// Taken is called as soon as this service answers queries on the sockets. It may be nil.
	Taken func() error
}
