package secure

import (
	"container/list"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
)

// Limits of requests that wait for their client.
const (
	maxUnfinished = 1000
	atOnce        = time.Millisecond // a request over QUIC that is whole by then does not count
)

// unfinished limits how many requests of a listener wait for their client, over all connections: for the rest of the
// query, or for room for the answer. So streams that never end take little memory. At the limit, a new request replaces
// the oldest one: of requests that clients mean to complete, it is the least likely to be among them.
type unfinished struct {
	mu     sync.Mutex
	oldest list.List // of functions that cut a request off
}

// add counts a request, and returns a function that ends the counting. The function cut ends the request to make room;
// it must not block.
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

// addStream counts the request on a stream.
func (u *unfinished) addStream(stream *quic.Stream, code quic.StreamErrorCode) (done func()) {
	return u.add(func() { cancel(stream, code) })
}

// cancel ends both directions of a stream with an error code.
func cancel(stream *quic.Stream, code quic.StreamErrorCode) {
	stream.CancelRead(code)
	stream.CancelWrite(code)
}
