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

// Reload reads the settings again at once and puts them in force, all or nothing, even if they take lists or other
// things away: what a changed file alone does not do. It fails where [Service.Run] does not run or ctx ends.
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

// lossError refuses settings that no one has asked for and that take something away.
type lossError struct{ lost []string }

func (e *lossError) Error() string {
	return fmt.Sprintf("the settings on disk take away what is in force (%s); if that is meant, run dnsfilter reload or send SIGHUP",
		strings.Join(e.lost, "; "))
}

// tryReload reloads. Unless it was asked for, what takes something away is not obeyed.
func (s *Service) tryReload(ctx context.Context, asked bool) error {
	s.notifyReloading()
	defer s.notify(daemon.SdNotifyReady)
	clear(s.watch)
	s.watch.baseline(s.settings)
	err := s.reload(ctx, asked)
	if err != nil {
		s.refused.Store(&err)
		s.logRefusal(err)
		return err
	}
	s.refused.Store(nil)
	s.watch.baseline(s.settings)
	s.warnURLs()
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

// settingsError says why the settings on disk are not in force; nil if they are.
func (s *Service) settingsError() error {
	if err := s.refused.Load(); err != nil {
		return *err
	}
	return nil
}

// warnUnnamed tells which lists are held that the settings do not name: a file that was cut looks so, too.
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

// reload reads the settings again and puts them in force, all or nothing.
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
	server, err := next.LoadServer()
	if err != nil {
		return err
	}
	if s.guards, err = s.guards.next(next); err != nil {
		return err
	}
	subscriptions, err := s.newSubscriptions(next, false)
	if err != nil {
		return err
	}
	for _, l := range next.LocalFiles() {
		if _, current := heldFile(l, s.store); !current {
			if err := s.loadFile(l, s.guards, ""); err != nil {
				return err
			}
		}
	}
	if err := s.server.Reconfigure(server); err != nil {
		return err
	}
	s.replaceSubscriptions(ctx, subscriptions)
	s.dropFiles(next)
	s.warnFixed(next)
	s.settings = next
	s.active.Store(&activeConfig{s.settings, s.subscriptions, s.guards})
	return nil
}

// dropFiles forgets the files that are in the settings no more. What is known of signed lists stays, so that taking one
// out and in again can't bring an older state back.
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
	if err := s.held.keep(files); err != nil {
		s.log.Warn("forgetting what is on hold of lists that are gone", slog.Any("error", err))
	}
}

// warnFixed tells what changes with a restart only.
func (s *Service) warnFixed(next *config.Settings) {
	old := s.settings
	if !slices.Equal(old.Listen, next.Listen) || old.State != next.State || old.Cache != next.Cache ||
		old.Metrics != next.Metrics || old.Pprof != next.Pprof {
		s.log.Warn("listen, state, cache, metrics and pprof change with a restart only")
	}
}
