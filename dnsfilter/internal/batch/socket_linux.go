package batch

import (
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sendWithin is how long, in milliseconds, is waited for a socket that takes nothing more.
const sendWithin = 100

// Socket is a UDP socket of a [Loop].
type Socket struct {
	loop     *Loop
	take     func(*Datagrams, error) // nil: nothing is read; guarded by the loop's lock
	last     func(*Datagrams, error) // what take was until Finish, if it is to be called once more; guarded likewise
	released chan struct{}

	mu     sync.RWMutex // keeps fd, which only the loop closes, from being used by others when it is closed
	fd     int          // -1 once it is closed
	closed bool         // or is to be, a moment later
}

// Read has take called with what is read, or with an error that concerns one datagram; what it gets is overwritten once it has
// returned.
func (s *Socket) Read(take func(*Datagrams, error)) {
	s.loop.mu.Lock()
	defer s.loop.mu.Unlock()
	s.take = take
	s.loop.change()
}

// CloseRead ends the reading; writing goes on.
func (s *Socket) CloseRead() { s.Read(nil) }

// Finish ends the reading as CloseRead does, but what the socket holds by then is read.
func (s *Socket) Finish() {
	s.loop.mu.Lock()
	defer s.loop.mu.Unlock()
	s.take, s.last = nil, s.take
	s.loop.change()
}

// Close closes the socket, a moment later.
func (s *Socket) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.CloseRead()
}

// Closed is closed when the socket is. What waits for it must not be called by the loop.
func (s *Socket) Closed() <-chan struct{} { return s.released }

// release closes what is to be closed; only the loop's goroutine does.
func (s *Socket) release() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed || s.last != nil {
		return false
	}
	_ = unix.Close(s.fd)
	s.fd = -1
	close(s.released)
	return true
}

// Writer collects datagrams and writes them at once. It belongs to one goroutine; a socket may have several.
type Writer struct {
	socket   *Socket
	messages [Size]message
	vectors  [Size]unix.Iovec
	n        int // collected
}

// NewWriter makes a writer.
func (s *Socket) NewWriter() *Writer {
	w := &Writer{socket: s}
	for i := range w.messages {
		h := &w.messages[i].header
		h.Iov = &w.vectors[i]
		h.SetIovlen(1)
	}
	return w
}

// Full tells that the next Add is not possible before a Flush.
func (w *Writer) Full() bool { return w.n == Size }

// Add collects a datagram, which is not empty; to is nil if the socket is connected. Neither may change before Flush.
func (w *Writer) Add(packet []byte, to *Peer) {
	h := &w.messages[w.n].header
	h.Name, h.Namelen, h.Control = nil, 0, nil
	h.SetControllen(0)
	if to != nil {
		h.Name, h.Namelen = (*byte)(unsafe.Pointer(&to.name)), to.nameLen
		if to.controlLen > 0 {
			h.Control = &to.control[0]
			h.SetControllen(int(to.controlLen))
		}
	}
	w.vectors[w.n].Base = &packet[0]
	w.vectors[w.n].SetLen(len(packet))
	w.n++
}

// Flush writes what was collected. Datagrams that the system does not take are lost, as the network loses them.
func (w *Writer) Flush() {
	if w.n == 0 {
		return
	}
	w.socket.mu.RLock()
	defer w.socket.mu.RUnlock()
	for sent := 0; sent < w.n && w.socket.fd >= 0; {
		sent += w.send(w.messages[sent:w.n])
	}
	w.n = 0
}

// send returns how many datagrams are done with: one that can't be sent is passed over.
func (w *Writer) send(messages []message) int {
	fd := uintptr(w.socket.fd)
	n, _, errno := syscall.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&messages[0])), uintptr(len(messages)), unix.MSG_DONTWAIT, 0, 0)
	switch errno {
	case 0:
		return int(n)
	case unix.EINTR:
		return 0
	case unix.EAGAIN:
		if ready, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, sendWithin); ready > 0 {
			return 0
		}
		return len(messages)
	default:
		return 1
	}
}
