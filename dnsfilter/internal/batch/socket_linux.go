package batch

import (
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sendTimeout is how long a write waits if the send buffer is full, in milliseconds.
const sendTimeout = 100

// Socket is a UDP socket of a [Loop].
type Socket struct {
	loop     *Loop
	handler  func(*Datagrams, error) // nil: the socket is not read; guarded by the lock of the loop
	last     func(*Datagrams, error) // handler for the last datagrams after Finish; guarded by the lock of the loop
	released chan struct{}

	mu     sync.RWMutex // guards the following fields; held for reading while fd is used
	fd     int          // file descriptor; -1 after it was closed
	closed bool         // Close was called; fd may still be open
}

// Read sets the function that is called for each batch of received datagrams, and with an error if receiving fails. The
// datagrams are valid until the handler returns.
func (s *Socket) Read(handler func(*Datagrams, error)) {
	s.loop.mu.Lock()
	defer s.loop.mu.Unlock()
	s.handler = handler
	s.loop.change()
}

// CloseRead ends reading. Writing is still possible.
func (s *Socket) CloseRead() { s.Read(nil) }

// Finish ends reading, after the handler was called for the datagrams that the socket has already received.
func (s *Socket) Finish() {
	s.loop.mu.Lock()
	defer s.loop.mu.Unlock()
	s.handler, s.last = nil, s.handler
	s.loop.change()
}

// Close tells the goroutine of the loop to close the socket. The socket is closed later; see Closed.
func (s *Socket) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.CloseRead()
}

// Closed returns a channel that is closed when the socket is closed. A handler must not wait for it.
func (s *Socket) Closed() <-chan struct{} { return s.released }

// release closes the file descriptor if Close was called and Finish is complete. It returns false otherwise. Only the
// goroutine of the loop may call it.
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

// Writer collects datagrams and writes them to a socket in batches. Only one goroutine may use a writer. A socket may
// have several writers.
type Writer struct {
	socket   *Socket
	messages [Size]message
	vectors  [Size]unix.Iovec
	n        int // number of collected datagrams
}

// NewWriter creates a writer of the socket.
func (s *Socket) NewWriter() *Writer {
	w := &Writer{socket: s}
	for i := range w.messages {
		h := &w.messages[i].header
		h.Iov = &w.vectors[i]
		h.SetIovlen(1)
	}
	return w
}

// Full reports whether Flush has to be called before the next Add.
func (w *Writer) Full() bool { return w.n == Size }

// Add adds a datagram to the batch. The datagram goes to the peer, which is nil if the socket is connected. The packet
// must not be empty. Packet and peer must not change before Flush.
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

// Flush writes the batch. It drops datagrams that the system rejects.
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

// send writes the first messages of a batch. It returns the number of messages that were written, or are to be skipped
// since the system rejects them.
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
