package service

import (
	"time"

	"github.com/argine-dns/argine/dnsfilter/config"
)

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

// ownKey is the key prefix of files whose change is a change of the settings.
const ownKey = "settings "

// baseline records the current states of all files of the settings as already loaded, except for known files.
func (w watcher) baseline(settings *config.Settings) {
	for _, path := range settings.OwnFiles() {
		if w[ownKey+path] == nil {
			source := settingsSource(path)
			w[ownKey+path] = &watched{seen: source, done: source}
		}
	}
}
