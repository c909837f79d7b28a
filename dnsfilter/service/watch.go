package service

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
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

// watchFiles takes changed files in until ctx ends. What fails is logged once, and tried again when the file changes or
// a reload is asked for.
func (s *Service) watchFiles(ctx context.Context, reload <-chan struct{}) {
	s.watch = watcher{}
	s.watch.baseline(s.settings)
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-reload:
			_ = s.tryReload(ctx, true) // the log says it
		case done := <-s.reloads:
			done <- s.tryReload(ctx, true)
		case <-tick.C:
			if slices.ContainsFunc(s.settings.OwnFiles(), func(path string) bool {
				return s.watch.settled(ownKey+path,
					settingsSource(path))
			}) {
				_ = s.tryReload(ctx, false) // the log says it
			}
			s.reloadChangedLists()
		}
	}
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

func settingsSource(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(info.Size(), info.ModTime().UnixNano())
}

// reloadChangedLists takes in the local files that are not as the store holds them.
func (s *Service) reloadChangedLists() {
	for _, l := range s.settings.LocalFiles() {
		source, err := l.Source()
		if err != nil {
			source = err.Error()
		}
		info, _ := s.store.List(l.List)
		if info.Source == source {
			s.failedLoads.Delete(l.List)
			if err := s.held.set(l.List, nil); err != nil {
				s.log.Warn("forgetting what was on hold", slog.String("list", l.List), slog.Any("error", err))
			}
			continue
		}
		if !s.watch.settled(l.List, source) {
			continue
		}
		if err == nil {
			err = s.loadFile(l, s.guards, "")
		}
		if err != nil {
			s.failedLoads.Store(l.List, err)
			s.log.Error("a changed list was not taken in; the last good one stays", slog.String("list", l.List),
				slog.Any("error", err))
		}
	}
}

// fileError tells why a local list is not as its file is now; nil if it is, or is about to be.
func (s *Service) fileError(list string) error {
	err, _ := s.failedLoads.Load(list)
	why, _ := err.(error)
	return why
}
