//go:build unix

package service

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"syscall"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"github.com/argine-dns/argine/dnsfilter"
)

// handles are the file descriptors of duplicates of the listening sockets; -1 stands for a closed one. They are not
// os.File values, since the poller of the runtime would watch those.
type handles []int

// newHandles returns duplicates of all sockets. If a socket can't be duplicated, it logs a warning and returns nil.
func newHandles(l *dnsfilter.Listeners, log *slog.Logger) (all handles) {
	for _, socket := range l.Sockets() {
		conn, ok := socket.(syscall.Conn)
		if !ok {
			continue
		}
		fd, err := duplicate(conn)
		if err != nil {
			log.Warn("sockets can't be handed over", slog.Any("error", err))
			all.close()
			return nil
		}
		all = append(all, fd)
	}
	return all
}

func duplicate(conn syscall.Conn) (fd int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var errDup error
	err = raw.Control(func(theirs uintptr) { fd, errDup = unix.FcntlInt(theirs, unix.F_DUPFD_CLOEXEC, 0) })
	return fd, errors.Join(err, errDup)
}

// close closes the handles that are still open.
func (h handles) close() {
	for i, fd := range h {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
		h[i] = -1
	}
}

// files converts the handles to files, which the caller must close.
func (h handles) files() (all []*os.File) {
	for i, fd := range h {
		all = append(all, os.NewFile(uintptr(fd), fmt.Sprint("socket ", i)))
		h[i] = -1
	}
	return all
}

// pass sends the sockets over the connection, each with one byte, and then one byte without a socket.
func (h handles) pass(conn *net.UnixConn) error {
	for _, fd := range h {
		if _, _, err := conn.WriteMsgUnix([]byte{0}, unix.UnixRights(fd), nil); err != nil {
			return err
		}
	}
	_, err := conn.Write([]byte{0})
	return err
}

// receiveSocket receives one socket. It returns nil after the last one.
func receiveSocket(conn *net.UnixConn) (*os.File, error) {
	space := make([]byte, unix.CmsgSpace(4))
	n, size, _, _, err := conn.ReadMsgUnix(make([]byte, 1), space)
	switch {
	case err != nil:
		return nil, err
	case n == 0:
		return nil, errors.New("the predecessor has ended")
	case size == 0:
		return nil, nil
	}
	messages, err := unix.ParseSocketControlMessage(space[:size])
	if err != nil || len(messages) != 1 {
		return nil, errors.Join(err, errors.New("one socket was expected"))
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, errors.Join(err, errors.New("one socket was expected"))
	}
	unix.CloseOnExec(fds[0])
	return os.NewFile(uintptr(fds[0]), "socket"), nil
}

// socketInode returns the inode number of a socket, which identifies it in the system's socket table. The result ok is
// false if the number is not known.
func socketInode(conn syscall.Conn) (inode uint64, ok bool) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, false
	}
	var st unix.Stat_t
	errStat := errors.ErrUnsupported
	err = raw.Control(func(fd uintptr) { errStat = unix.Fstat(int(fd), &st) })
	return st.Ino, err == nil && errStat == nil
}

// openPrivate sets the mode of a Unix socket before bind, so that only its owner can connect. Only Linux applies this
// mode. On other systems, the permissions of the folder protect the socket until its file has the mode.
func openPrivate(_, _ string, raw syscall.RawConn) error {
	return raw.Control(func(fd uintptr) { _ = unix.Fchmod(int(fd), 0o600) })
}

// notifyReloading tells systemd that a reload of the settings begins, with the present time (Type=notify-reload).
func notifyReloading(log *slog.Logger) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err == nil {
		notify(log, fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, now.Nano()/1000))
	}
}
