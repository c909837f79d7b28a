//go:build !unix

package dnsfilter

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"syscall"
)

// handles are sockets to be passed on, which is not possible here.
type handles struct{}

func (l *Listeners) handles(*slog.Logger) handles { return handles{} }

func (handles) close() {}

func (handles) files() []*os.File { return nil }

func (handles) pass(*net.UnixConn) error { return errors.ErrUnsupported }

func receiveSocket(*net.UnixConn) (*os.File, error) { return nil, errors.ErrUnsupported }

func openPrivate(string, string, syscall.RawConn) error { return nil }

func (s *Service) notifyReloading() {}
