package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/argine-dns/argine/dnsfilter/config"
)

// Reload reads the settings again and puts them in force, completely or not at all. Unlike a change of the settings
// file, it may remove lists and other settings. It waits until [Service.Run] has done the reload, or ctx ends.
func (s *Service) Reload(ctx context.Context) error {
	done := make(chan error, 1)
	select {
	case s.reloads <- done:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// lossError is the error for a changed settings file that would remove something, while no person has requested a
// reload.
type lossError struct{ lost []string }

func (e *lossError) Error() string {
	return fmt.Sprintf("the settings on disk take away what is in force (%s); if that is meant, run dnsfilter reload or send SIGHUP",
		strings.Join(e.lost, "; "))
}

// tryReload reloads the settings, and logs an error. The argument asked is true if a person has requested the reload.
// Otherwise it refuses settings that remove something.
func (s *Service) tryReload(ctx context.Context, asked bool) error {
	notifyReloading(s.log)
	defer notify(s.log, daemon.SdNotifyReady)
	clear(s.watch)
	s.watch.baseline(s.settings.WatchedFiles(), s.settings.Certificate)
	err := s.reload(ctx, asked)
	if err != nil {
		s.refused.Store(&err)
		s.logRefusal(err)
		return err
	}
	s.refused.Store(nil)
	s.watch.baseline(s.settings.OwnFiles(), s.settings.Certificate)
	s.warnURLs()
	if keys := s.needRestart(); len(keys) > 0 {
		s.log.Warn("some changed settings change with a restart only", slog.Any("keys", keys))
	}
	if asked {
		s.fetched.fetchNow()
	}
	s.log.Info("settings reloaded", slog.Int("lists", len(s.settings.Lists)))
	return nil
}

func (s *Service) logRefusal(err error) {
	if loss, ok := errors.AsType[*lossError](err); ok {
		s.log.Warn("the changed settings take something away and are not obeyed; if that is meant, run dnsfilter reload or send SIGHUP",
			slog.Any("lost", loss.lost))
		return
	}
	s.log.Error("reloading failed; the settings in force stay", slog.Any("error", err))
}

// warnUnnamed logs the lists in the store that the settings do not name. A truncated settings file can be the cause.
func (s *Service) warnUnnamed() {
	named := s.settings.ListNames()
	for _, path := range s.settings.Allow {
		named = append(named, config.AllowName(path))
	}
	var unnamed []string
	for _, info := range s.store.Lists() {
		if !slices.Contains(named, info.List) {
			unnamed = append(unnamed, info.List)
		}
	}
	if len(unnamed) > 0 {
		s.log.Warn("lists are held that the settings do not name; they are not enforced", slog.Any("lists", unnamed))
	}
}

// reload reads the settings again and puts them in force, completely or not at all. The argument asked is true if a
// person has requested the reload. Otherwise it refuses settings that remove something, with a lossError.
func (s *Service) reload(ctx context.Context, asked bool) error {
	next, err := s.read()
	if err != nil {
		return err
	}
	if lost := s.settings.Losses(next); len(lost) > 0 {
		if !asked {
			return &lossError{lost}
		}
		s.log.Warn("the settings take something away, as was asked for", slog.Any("lost", lost))
	}
	s.zoneLists.share(s.settings, next)
	server, err := next.LoadServer()
	if err != nil {
		return err
	}
	stopPage, err := next.StopPage.Load()
	if err != nil {
		return err
	}
	if s.guards, err = s.guards.next(next); err != nil {
		return err
	}
	subscriptions, fetched, err := s.newFollowed(next, false)
	if err != nil {
		return err
	}
	zones, err := s.newPolicyZones(next, s.zones)
	if err != nil {
		return err
	}
	server.Primary, server.Notified = zones.primary(), s.notified
	server.Taps = s.logs.taps()
	if err := s.loadFiles(next); err != nil {
		return err
	}
	if err := s.server.Reconfigure(server); err != nil {
		return err
	}
	s.subscriptions = replaceSubscriptions(ctx, s.subscriptions, subscriptions)
	s.fetched = replaceFetched(ctx, s.fetched, fetched, s.log)
	s.stopPage.Reconfigure(stopPage)
	s.dropFiles(next)
	s.settings = next
	s.zoneLists.keep(next)
	if err := s.certificate.load(next, s.log); err != nil {
		s.log.Error("reading the certificate failed; the one before stays in force", slog.Any("error", err))
	}
	s.active.Store(&activeConfig{s.settings, s.subscriptions, s.guards, zones, s.fetched})
	s.zones = s.replacePolicyZones(ctx, s.zones, zones)
	return nil
}

// loadFiles loads the files of the next settings whose current content is not in force.
func (s *Service) loadFiles(next *config.Settings) error {
	for _, l := range next.LocalFiles() {
		if _, current := heldFile(l, s.store); current || l.Awaited() {
			continue
		}
		if err := s.local.loadSettled(l, s.guards); err != nil {
			return err
		}
	}
	return s.zoneLists.loadAll(next, s.guards)
}

// dropFiles drops local lists that the next settings do not have. The state of signed lists stays: after removing a
// list and adding it again, a rollback must still be detected.
func (s *Service) dropFiles(next *config.Settings) {
	files := next.LocalFiles()
	for _, info := range s.store.Lists() {
		named := slices.ContainsFunc(files, func(l config.LocalFile) bool { return l.List == info.List })
		if named || info.Serial > 0 || info.Source == "" {
			continue
		}
		if err := s.store.Drop(info.List); err != nil {
			s.log.Warn("dropping a list failed", slog.String("list", info.List), slog.Any("error", err))
		}
	}
	if err := s.local.held.keep(next); err != nil {
		s.log.Warn("forgetting what is on hold of lists that are gone", slog.Any("error", err))
	}
}

// warnURLs logs each signed list with url entries that are not enforced.
func (s *Service) warnURLs() {
	for _, l := range s.settings.Lists {
		if n := s.store.CountURLs(l.Rule.List); n > 0 && l.File == "" && len(l.Divert) == 0 {
			s.log.Warn(urlsNotEnforced, slog.String("list", l.Rule.List), slog.Uint64("count", n))
		}
	}
}
