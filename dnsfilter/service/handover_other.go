//go:build !unix

package service

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"syscall"

	"github.com/argine-dns/argine/dnsfilter"
)

// handles is empty: on this system, sockets can't be passed to a successor.
type handles struct{}

func newHandles(*dnsfilter.Listeners, *slog.Logger) handles { return handles{} }

func (handles) close() {}

func (handles) files() []*os.File { return nil }

func (handles) pass(*net.UnixConn) error { return errors.ErrUnsupported }

func receiveSocket(*net.UnixConn) (*os.File, error) { return nil, errors.ErrUnsupported }

func socketInode(syscall.Conn) (uint64, bool) { return 0, false }

func openPrivate(string, string, syscall.RawConn) error { return nil }

func notifyReloading(*slog.Logger) {}
