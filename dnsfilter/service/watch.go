package service

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/argine-dns/argine/dnsfilter/config"
)

// ownKey is the key prefix of files whose change is a change of the settings.
const ownKey = "settings "

// baseline records the current states of files as already loaded, except for known files: of these files of the
// settings, and of the certificate.
func (w watcher) baseline(own []string, certificate config.Certificate) {
	add := func(key, path string) {
		if w[key+path] == nil {
			source := settingsSource(path)
			w[key+path] = &watched{seen: source, done: source}
		}
	}
	for _, path := range own {
		add(ownKey, path)
	}
	for _, path := range certificate.Files() {
		add(certificateKey, path)
	}
}

// watchFiles loads changed files until ctx ends. A failure is logged once. After it, the file is loaded again when it
// changes, or on a requested reload.
func (s *Service) watchFiles(ctx context.Context, reload <-chan struct{}) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-reload:
			_ = s.tryReload(ctx, true) // the error is logged
		case done := <-s.reloads:
			done <- s.tryReload(ctx, true)
		case <-tick.C:
			if slices.ContainsFunc(s.settings.WatchedFiles(), func(path string) bool {
				return s.watch.settled(ownKey+path, settingsSource(path))
			}) {
				_ = s.tryReload(ctx, false) // the error is logged
			}
			s.reloadCertificate()
			s.reloadChangedLists()
			s.reloadChangedZones()
		}
	}
}

// reloadChangedLists loads the local files whose current content the store does not have.
func (s *Service) reloadChangedLists() {
	for _, l := range s.settings.LocalFiles() {
		if l.Awaited() {
			continue
		}
		source, err := l.Source()
		if err != nil {
			source = err.Error()
		}
		info, _ := s.store.List(l.List)
		if info.Source == source {
			s.local.failed.Delete(l.List)
			if err := s.local.held.set(l.List, nil); err != nil {
				s.log.Warn("forgetting what was on hold", slog.String("list", l.List), slog.Any("error", err))
			}
			continue
		}
		if !s.watch.settled(l.List, source) {
			continue
		}
		if err == nil {
			err = s.local.load(l, s.guards, "")
		}
		switch {
		case errors.Is(err, errChanging):
			s.log.Info("a list changes while it is read; it is read again once it has settled", slog.String("list", l.List))
		case err != nil:
			s.local.fail(l, err)
		}
	}
}
