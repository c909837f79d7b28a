package secure

import (
	"container/list"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
)

// maxUnfinished is the maximum number of unfinished requests, see unfinished.
const (
	maxUnfinished = 1000
	atOnce        = time.Millisecond // a request over QUIC counts as unfinished only after this time
)

// unfinished counts and limits the unfinished requests of a listener, over all connections. A request is unfinished
// while the client has not sent the whole query, and while the client's flow control windows do not allow sending the
// whole answer. So streams that never end take little memory. At the limit, a new request replaces the oldest one,
// which the client is least likely to complete.
type unfinished struct {
	mu     sync.Mutex
	oldest list.List // functions that end a request, the oldest request first
}

// add counts a request. The function done ends the counting. The function cut must end the request; it is called if the
// limit is reached, and must not block.
func (u *unfinished) add(cut func()) (done func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.oldest.Len() >= maxUnfinished {
		cutOldest, _ := u.oldest.Remove(u.oldest.Front()).(func())
		cutOldest()
	}
	e := u.oldest.PushBack(cut)
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.oldest.Remove(e)
	}
}

// addStream counts the request on a stream. If the request has to make room, the stream ends with the error code.
func (u *unfinished) addStream(stream *quic.Stream, code quic.StreamErrorCode) (done func()) {
	return u.add(func() { cancel(stream, code) })
}

// cancel ends both directions of a stream with an error code.
func cancel(stream *quic.Stream, code quic.StreamErrorCode) {
	stream.CancelRead(code)
	stream.CancelWrite(code)
}
