package batch

import (
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sendTimeout is how long a write waits for a socket whose buffer is full, in milliseconds.
const sendTimeout = 100

// Socket is a UDP socket of a [Loop].
type Socket struct {
	loop     *Loop
	handler  func(*Datagrams, error) // nil: nothing is read; guarded by the loop's lock
	last     func(*Datagrams, error) // the handler until Finish, if it is to be called once more; guarded likewise
	released chan struct{}

	mu     sync.RWMutex // so that fd is not used when the loop has closed it
	fd     int          // -1 once it is closed
	closed bool         // Close was called
}

// Read calls handler with the datagrams that are read, or with an error that concerns one of them. They are overwritten
// when it has returned.
func (s *Socket) Read(handler func(*Datagrams, error)) {
	s.loop.mu.Lock()
	defer s.loop.mu.Unlock()
	s.handler = handler
	s.loop.change()
}

// CloseRead ends the reading; writing goes on.
func (s *Socket) CloseRead() { s.Read(nil) }

// Finish ends the reading as CloseRead does, after the datagrams that the socket has received by then.
func (s *Socket) Finish() {
	s.loop.mu.Lock()
	defer s.loop.mu.Unlock()
	s.handler, s.last = nil, s.handler
	s.loop.change()
}

// Close closes the socket, a moment later.
func (s *Socket) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.CloseRead()
}

// Closed returns a channel that is closed when the socket is. A handler must not wait for it.
func (s *Socket) Closed() <-chan struct{} { return s.released }

// release closes the file descriptor if Close was called. It is for the loop's goroutine only.
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

// Writer collects datagrams and writes them in batches. It belongs to one goroutine; a socket may have several.
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

// Full reports whether a Flush is needed before the next Add.
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

// Flush writes the batch. Datagrams that the system refuses are lost, as the network loses them.
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

// send writes datagrams, and returns how many were sent or, if the system refuses them, skipped.
func (w *Writer) send(messages []message) int {
	fd := uintptr(w.socket.fd)
	n, _, errno := syscall.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&messages[0])), uintptr(len(messages)),
		unix.MSG_DONTWAIT, 0, 0)
	switch errno {
	case 0:
		return int(n)
	case unix.EINTR:
		return 0
	case unix.EAGAIN:
		if ready, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, sendTimeout); ready > 0 {
			return 0
		}
		return len(messages)
	default:
		return 1
	}
}
