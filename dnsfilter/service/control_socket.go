package service

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"

	"github.com/argine-dns/argine/dnsfilter/config"
)

// controlSocket is the control socket. It stays open when the server on it ends, until it is closed itself: a client
// that connects while a hand-over is under way waits for the service that answers after it.
type controlSocket struct {
	net.Listener

	file *os.File    // the socket once more; nil where the system can't have it
	path string      // in the file system
	info fs.FileInfo // of what is there
}

// listenControl makes the socket. What is left of an earlier process may go: the store has one owner.
func listenControl(ctx context.Context, state string) (*controlSocket, error) {
	path, err := config.ControlSocket(state)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	l, err := (&net.ListenConfig{Control: openPrivate}).Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	c := &controlSocket{Listener: l, path: path}
	if c.info, err = os.Stat(path); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if u, ok := l.(*net.UnixListener); ok {
		if c.file, err = u.File(); err == nil {
			u.SetUnlinkOnClose(false)
		}
	}
	return c, nil
}

// isCurrent reports whether clients that connect to the path come to this socket.
func (c *controlSocket) isCurrent() bool {
	info, err := os.Stat(c.path)
	return err == nil && os.SameFile(info, c.info)
}

// reopen returns the socket for another server; it fails if there is none, or a successor has put its own in the place.
func (c *controlSocket) reopen() (*controlSocket, error) {
	if c == nil || c.file == nil || !c.isCurrent() {
		return nil, net.ErrClosed
	}
	l, err := net.FileListener(c.file)
	if err != nil {
		return nil, err
	}
	return &controlSocket{l, c.file, c.path, c.info}, nil
}

// close closes the socket, and takes it out of the file system.
func (c *controlSocket) close() {
	if c == nil || c.file == nil {
		return
	}
	if c.isCurrent() {
		_ = os.Remove(c.path) // the next one does it
	}
	_ = c.file.Close()
}
