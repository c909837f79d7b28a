package service

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sync/errgroup"

	"github.com/argine-dns/argine/blocklist/buildinfo"
	"github.com/argine-dns/argine/dnsfilter"
)

// Run answers queries until ctx ends. Then it releases the store at once, so that a successor can open it, answers the
// queries in flight, and closes the store. Each value from the argument reload has the effect of [Service.Reload]. Run
// notices changed files within a second.
//
// A successor may also take over before ctx ends, see [TakeOver]. Then Run returns after the successor has begun to
// answer queries.
func (s *Service) Run(ctx context.Context, reload <-chan struct{}) (err error) {
	defer func() { err = errors.Join(err, s.store.Close()) }()
	if err := s.loadMissing(); err != nil {
		return err
	}
	subscriptions, fetched, err := s.newFollowed(s.settings, true)
	if err != nil {
		return err
	}
	listeners, err := s.listen(ctx)
	if err != nil {
		return err
	}
	sockets := newHandles(listeners, s.log)
	defer sockets.close()
	web, err := listenHTTP(ctx, s.settings)
	if err != nil {
		return errors.Join(err, listeners.Close())
	}
	control := s.openControl(ctx)
	s.listening, s.inodes = listeners.Addrs(), socketInodes(listeners.UDP)
	g, serving := errgroup.WithContext(ctx)
	work, endWork := context.WithCancel(serving)
	defer endWork()
	s.start(work, subscriptions, fetched)
	s.serveHTTP(work, g, web)
	s.warnUnnamed()
	s.warnURLs()
	g.Go(func() error { return s.workUntil(work, control, reload) })
	s.log.Info("serving", slog.String("version", buildinfo.Current().String()), slog.Any("listen", s.settings.Listen),
		slog.String("state", s.settings.State), slog.Int("lists", len(s.settings.Lists)))
	answering, endAnswers := context.WithCancel(context.WithoutCancel(serving)) // goes on after serving during a hand-over
	g.Go(func() error { defer endWork(); return s.serve(answering, listeners) })
	g.Go(func() error { watchdog(answering, s.listening[0], s.log); return nil })
	g.Go(func() error {
		defer endAnswers()
		return s.awaitSuccessor(serving, endWork, listeners, sockets)
	})
	s.notifyServing()
	context.AfterFunc(serving, func() { notify(s.log, daemon.SdNotifyStopping) })
	err = g.Wait()
	replaceSubscriptions(work, s.subscriptions, nil)
	s.log.Info("ended", slog.Any("stats", s.server.Stats()))
	if errors.Is(err, errNotTakenOver) && ctx.Err() == nil {
		return s.restart(ctx, reload, sockets, control)
	}
	control.close()
	return err
}

// workUntil does all work that writes to the store, until ctx ends. Then it releases the store to the next owner.
// Queries are still answered from the lists that are open in this process.
func (s *Service) workUntil(ctx context.Context, control *controlSocket, reload <-chan struct{}) error {
	var both sync.WaitGroup
	both.Go(func() { s.watchFiles(ctx, reload) })
	both.Go(func() { s.serveControl(ctx, control) })
	both.Wait()
	s.active.Load().zones.wait()
	s.active.Load().fetched.wait()
	for _, f := range s.active.Load().subscriptions {
		<-f.done
	}
	if !s.handingOver.Load() {
		control.close()
	}
	defer close(s.released)
	return s.store.Release()
}

// listen opens sockets at the listen addresses of the settings, or takes sockets that were passed to this process.
func (s *Service) listen(ctx context.Context) (*dnsfilter.Listeners, error) {
	var given Sockets
	if s.Sockets != nil {
		var err error
		if given, err = s.Sockets(); err != nil {
			return nil, err
		}
	}
	s.taken = given.Taken
	return openListeners(ctx, given, s.settings.Listen, s.log)
}

// notifyServing tells the predecessor and systemd that this process answers queries.
func (s *Service) notifyServing() {
	if s.taken != nil {
		if err := s.taken(); err != nil {
			s.log.Warn("telling the predecessor that queries are answered failed", slog.Any("error", err))
		}
	}
	notify(s.log, daemon.SdNotifyReady)
}
