package service

import (
	"time"

	"github.com/argine-dns/argine/dnsfilter/config"
)

// Files are looked at every watchEvery. A change counts when a file has looked the same for settleFor, so that one that
// is being written is not taken for whole; and it must still look the same when it has been read.
const (
	watchEvery = 50 * time.Millisecond
	settleFor  = 100 * time.Millisecond
)

// watcher finds files that have changed and come to rest.
type watcher map[string]*watched

type watched struct {
	seen, done string
	since      time.Time // when it was first seen so
}

// settled reports whether the file known by key has had a state (told by source) for some time, and it was not reported
// yet.
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

// ownKey begins the keys of files that a change of is a change of the settings.
const ownKey = "settings "

// baseline takes the settings as they are for read, but for files that are known.
func (w watcher) baseline(settings *config.Settings) {
	for _, path := range settings.OwnFiles() {
		if w[ownKey+path] == nil {
			source := settingsSource(path)
			w[ownKey+path] = &watched{seen: source, done: source}
		}
	}
}
