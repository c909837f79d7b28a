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

// Loop hands out the datagrams of its sockets, all in one goroutine, which begins with the first socket and ends with the last.
//
// It does not wait as the net package does. The runtime has the system watch sockets for room to write as well, and so told of
// each datagram that has left, which is a tenth of what a query costs.
type Loop struct {
	idle func()

	mu      sync.Mutex
	sockets []*Socket
	changed bool // since the goroutine looked at the sockets
	waiting bool // it can't look now
	running bool
	wake    int // eventfd that ends the waiting
}

// yieldEvery is how often the runtime is given the chance to run something else. A goroutine that gives it none in ten milliseconds
// it takes for stuck, and has a thread look after it all the time.
const yieldEvery = 4 * time.Millisecond

// NewLoop makes a loop. Each time that the datagrams at hand have been handed out, idle is called.
func NewLoop(idle func()) *Loop { return &Loop{idle: idle} }

// Open adds a socket, which takes conn over, even if it fails.
func (l *Loop) Open(conn *net.UDPConn) (*Socket, error) {
	fd, err := own(conn)
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

// own takes a socket out of the hands of the net package.
func own(conn *net.UDPConn) (fd int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var errDup error
	err = raw.Control(func(theirs uintptr) { fd, errDup = unix.FcntlInt(theirs, unix.F_DUPFD_CLOEXEC, 0) })
	return fd, errors.Join(err, errDup, conn.Close())
}

// change has the goroutine look at the sockets again. The loop is locked.
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
	for l.begin(&w) {
		if now := time.Now(); now.Sub(yielded) > yieldEvery {
			yielded = now
			runtime.Gosched()
		}
		l.finish(&w, in)
		n, err := unix.Poll(w.fds, w.wait())
		l.end(&w)
		if n <= 0 || err != nil {
			continue // a signal came, or sockets were finished
		}
		for i := range w.takers {
			if w.fds[i].Revents != 0 {
				in.hand(int(w.fds[i].Fd), w.takers[i])
			}
		}
		l.idle()
	}
}

// finish reads sockets for the last time.
func (l *Loop) finish(w *watched, in *Datagrams) {
	for _, s := range w.finishing {
		in.drain(s.fd, s.take)
	}
	if len(w.finishing) > 0 {
		l.idle()
	}
}

// watched are the sockets that are waited for, and then the eventfd.
type watched struct {
	takers    []func(*Datagrams, error)
	fds       []unix.PollFd
	finishing []finishing
}

// finishing is a socket that is read for the last time.
type finishing struct {
	fd   int
	take func(*Datagrams, error)
}

// wait returns for how many milliseconds to wait: without end, unless sockets were finished, which may be waiting to be closed.
func (w *watched) wait() int {
	if len(w.finishing) > 0 {
		return 0
	}
	return -1
}

// begin brings what is watched up to date; false means that there is no socket left.
func (l *Loop) begin(w *watched) bool {
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
			s.last, l.changed = nil, true // closed, if it is to be, when it has been read
		}
		if s.take != nil {
			w.takers = append(w.takers, s.take)
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

// end notes that the goroutine is awake.
func (l *Loop) end(w *watched) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = false
	if w.fds[len(w.fds)-1].Revents != 0 {
		var count [8]byte
		_, _ = unix.Read(l.wake, count[:])
	}
}
