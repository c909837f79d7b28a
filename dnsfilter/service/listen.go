package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/argine-dns/argine/dnsfilter"
)

// listen opens the sockets of the settings, or takes those that are open already.
func (s *Service) listen(ctx context.Context) (*dnsfilter.Listeners, error) {
	var given Sockets
	if s.Sockets != nil {
		var err error
		if given, err = s.Sockets(); err != nil {
			return nil, err
		}
	}
	open := new(dnsfilter.Listeners)
	for _, f := range given.Files {
		if err := errors.Join(open.Adopt(f), f.Close()); err != nil {
			return nil, errors.Join(fmt.Errorf("taking a socket over: %w", err), open.Close())
		}
	}
	l, err := dnsfilter.ListenFrom(ctx, open, s.settings.Listen...)
	if err != nil {
		return nil, err
	}
	for _, at := range open.Addrs() {
		s.log.Warn("a socket that was passed on is closed: listen does not name its address",
			slog.String("address", at.Network()+"://"+at.String()))
	}
	if given.Held {
		l.Share()
	}
	s.taken = given.Taken
	if n := l.ReceiveBuffer(); n > 0 && n < dnsfilter.SocketBuffer {
		s.log.Warn("the system grants a smaller receive buffer than was asked for: bursts of queries may be lost; "+
			"as root: sysctl -w net.core.rmem_max="+strconv.Itoa(dnsfilter.SocketBuffer), slog.Int("bytes", n))
	}
	return l, open.Close()
}
