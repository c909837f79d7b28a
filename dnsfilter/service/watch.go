package service

import (
	"context"
	"slices"
	"time"

	"github.com/argine-dns/argine/dnsfilter/config"
)

// ownKey is put before the path of a settings file to get the key under which the [watcher] keeps the file.
const ownKey = "settings "

// baseline records the present states of the settings files (own) and of the files of the certificate, as states that
// are loaded already. It skips files that are watched already.
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

// watchFiles loads changed files until ctx ends, and reloads the settings on request. If a file can't be loaded, that
// is logged once; the file is loaded again when it changes or when a reload is requested.
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
