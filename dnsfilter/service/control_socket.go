package service

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"

	"github.com/argine-dns/argine/dnsfilter/config"
)

// controlSocket is the listening control socket. It can outlive its HTTP server: during a hand-over, new connections
// wait in the socket until the next HTTP server accepts them.
type controlSocket struct {
	net.Listener

	file *os.File    // duplicate of the socket; nil if the system can't make one
	path string      // path of the socket in the file system
	info fs.FileInfo // state of the socket file when it was created, to recognize the file
}

// listenControl opens the control socket in a state folder. It replaces an old socket file, whose process must have
// ended: only one process can own the store.
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

// isCurrent reports whether the socket file at the path is still that of this socket, so that new connections reach it.
func (c *controlSocket) isCurrent() bool {
	info, err := os.Stat(c.path)
	return err == nil && os.SameFile(info, c.info)
}

// reopen returns the same socket for another HTTP server. It fails if c has no duplicate of the socket, or if a
// successor has replaced the socket file.
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

// close closes the duplicate of the socket, and removes the socket file unless a successor has replaced it.
func (c *controlSocket) close() {
	if c == nil || c.file == nil {
		return
	}
	if c.isCurrent() {
		_ = os.Remove(c.path) // the next service removes it
	}
	_ = c.file.Close()
}

// ErrNotRunning means that no service runs with the given state folder, or that this user may not connect to it.
var ErrNotRunning = errors.New("no running service answers")
