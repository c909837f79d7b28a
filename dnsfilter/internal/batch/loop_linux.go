package batch

import (
	"errors"
	"net"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/argine-dns/argine/dnsfilter/internal/processors"
)

// Loop reads the datagrams of its sockets in one goroutine. The goroutine starts with the first socket and ends with
// the last.
//
// The goroutine waits with poll(2) instead of the runtime's poller, which package net uses. The runtime's poller also
// polls for writing, so the system wakes it for each sent datagram. That costs a tenth of the processor time of a
// query.
type Loop struct {
	idle func()

	mu      sync.Mutex
	sockets []*Socket
	changed bool // the set of sockets to read has changed since the last round
	waiting bool // the goroutine waits in poll(2)
	running bool
	wake    int // eventfd that interrupts poll(2)
}

// yieldEvery is how often the goroutine yields to the scheduler. Otherwise a monitoring thread of the runtime would be
// busy with preempting it every ten milliseconds.
const yieldEvery = 4 * time.Millisecond

// NewLoop creates a loop. In each round, the loop calls the handlers of all sockets with datagrams, and then idle.
func NewLoop(idle func()) *Loop { return &Loop{idle: idle} }

// Open adds a socket to the loop. From now on, the loop owns conn, even if Open returns an error.
func (l *Loop) Open(conn *net.UDPConn) (*Socket, error) {
	fd, err := detach(conn)
	if err != nil {
		return nil, err
	}
	s := &Socket{loop: l, fd: fd, released: make(chan struct{})}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.running {
		if l.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
			return nil, errors.Join(err, unix.Close(fd))
		}
		l.running, l.changed = true, true
		processors.Add(1)
		go l.run()
	}
	l.sockets = append(l.sockets, s)
	return s, nil
}

// detach takes a socket away from package net: it duplicates the file descriptor, which it returns, and closes conn.
func detach(conn *net.UDPConn) (fd int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var errDup error
	err = raw.Control(func(theirs uintptr) { fd, errDup = unix.FcntlInt(theirs, unix.F_DUPFD_CLOEXEC, 0) })
	return fd, errors.Join(err, errDup, conn.Close())
}

// change makes the goroutine update its set of sockets. The caller holds the lock of the loop.
func (l *Loop) change() {
	l.changed = true
	if l.waiting {
		_, _ = unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) // it can't fail
	}
}

func (l *Loop) run() {
	in := newDatagrams()
	var w watched
	yielded := time.Now()
	for l.prepare(&w) {
		if now := time.Now(); now.Sub(yielded) > yieldEvery {
			yielded = now
			runtime.Gosched()
		}
		l.drain(&w, in)
		n, err := unix.Poll(w.fds, w.timeout())
		l.awake(&w)
		if n <= 0 || err != nil {
			continue // a signal came, or sockets were finished
		}
		for i := range w.handlers {
			if w.fds[i].Revents != 0 {
				in.dispatch(int(w.fds[i].Fd), w.handlers[i])
			}
		}
		l.idle()
	}
}

// drain reads the remaining datagrams of the sockets whose Finish was called.
func (l *Loop) drain(w *watched, in *Datagrams) {
	for _, s := range w.finishing {
		in.drain(s.fd, s.handler)
	}
	if len(w.finishing) > 0 {
		l.idle()
	}
}

// watched is the set of sockets to poll. In fds, the eventfd is the last one.
type watched struct {
	handlers  []func(*Datagrams, error)
	fds       []unix.PollFd
	finishing []finishing
}

// finishing is a socket that is read for the last time, after Finish.
type finishing struct {
	fd      int
	handler func(*Datagrams, error)
}

// timeout returns the timeout for poll(2): 0 if finished sockets may have to be closed, or else -1, which means no
// timeout.
func (w *watched) timeout() int {
	if len(w.finishing) > 0 {
		return 0
	}
	return -1
}

// prepare updates the set of sockets to poll. It returns false if the loop has no sockets left.
func (l *Loop) prepare(w *watched) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = true
	if !l.changed {
		return true
	}
	l.changed = false
	l.sockets = slices.DeleteFunc(l.sockets, (*Socket).release)
	*w = watched{}
	for _, s := range l.sockets {
		if s.last != nil {
			w.finishing = append(w.finishing, finishing{s.fd, s.last})
			s.last, l.changed = nil, true // it is closed in the next round
		}
		if s.handler != nil {
			w.handlers = append(w.handlers, s.handler)
			w.fds = append(w.fds, unix.PollFd{Fd: int32(s.fd), Events: unix.POLLIN})
		}
	}
	w.fds = append(w.fds, unix.PollFd{Fd: int32(l.wake), Events: unix.POLLIN})
	if len(l.sockets) > 0 {
		return true
	}
	l.waiting, l.running = false, false
	_ = unix.Close(l.wake)
	processors.Add(-1)
	return false
}

// awake records that the goroutine has returned from poll(2), and resets the eventfd.
func (l *Loop) awake(w *watched) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = false
	if w.fds[len(w.fds)-1].Revents != 0 {
		var count [8]byte
		_, _ = unix.Read(l.wake, count[:])
	}
}
