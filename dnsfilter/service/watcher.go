package service

import "time"

// Files are polled at the interval watchEvery. A change counts once the file has had the same state for settleFor, so
// that a file that is still being written is not read. The file must also have this state after reading.
const (
	watchEvery = 50 * time.Millisecond
	settleFor  = 100 * time.Millisecond
)

// watcher detects changed files that have settled.
type watcher map[string]*watched

type watched struct {
	seen, done string
	since      time.Time // when this state was first seen
}

// settled reports whether a file has had its current state (source) for settleFor, and this was not reported before.
func (w watcher) settled(key, source string) bool {
	f := w[key]
	if f == nil {
		f = &watched{}
		w[key] = f
	}
	if f.seen != source {
		f.seen, f.since = source, time.Now()
	}
	settled := f.done != source && time.Since(f.since) >= settleFor
	if settled {
		f.done = source
	}
	return settled
}
