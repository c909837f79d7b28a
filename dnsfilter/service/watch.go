package service

import (
	"context"
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
			s.local.reloadChanged(s.settings.LocalFiles(), s.guards, s.watch)
			s.reloadChangedZones()
		}
	}
}
