package service

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sync/errgroup"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/buildinfo"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/stoppage"
)

// busyWithin is how long to wait for another owner of the store to end.
const busyWithin = time.Second

// busyEvery is the interval between attempts to open the store.
const busyEvery = 2 * time.Millisecond

// Service is a complete resolver: store, local files, signed lists and server.
//
// Lists in the store are enforced from the first answer on, even if a file has changed or an origin is not reachable;
// updates follow meanwhile. A local list that is not in the store is loaded before the first answer. If that fails, the
// service does not start. A list of another server that was never fetched does not delay the start: it is logged, and
// enforced once its server answers.
type Service struct {
	running

	read          func() (*config.Settings, error)
	settings      *config.Settings
	subscriptions map[string]*subscription
	watch         watcher
	guards        guards
	zones         policyZones
	fetched       fetchedLists

	reloads chan chan<- error // requests of Reload

	// Sockets returns open sockets. Run uses those at addresses of the settings instead of opening new ones. It is
	// called once, when everything else is ready. Nil: there are none.
	Sockets func() (Sockets, error)
	taken   func() error // Taken of the Sockets

	successors chan *net.UnixConn // that ask to take over
	released   chan struct{}      // closed when the store is released

	handingOver atomic.Bool
	inherited   *controlSocket // of the predecessor in this process, whose successor failed; nil: none
}

// New creates a service. It calls read for the settings, and again for each reload. It opens the store, which Run
// closes, and starts nothing. The log may be nil.
func New(read func() (*config.Settings, error), log *slog.Logger) (*Service, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	settings, err := read()
	if err != nil {
		return nil, err
	}
	store, err := awaitStore(settings)
	if err != nil {
		return nil, err
	}
	s := &Service{
		running: running{log: log, store: store, started: time.Now()},
		read:    read, settings: settings, reloads: make(chan chan<- error),
		successors: make(chan *net.UnixConn), released: make(chan struct{}),
	}
	if err := s.certificate.load(settings, log); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	s.local = &localLists{store: store, log: log, held: readLocalHolds(settings.State)}
	s.zoneLists = &zoneLists{log: log, states: map[*dnsfilter.PolicyZone]zoneState{}}
	s.logs = newLogs(settings, log)
	if s.zones, err = s.newPolicyZones(settings, nil); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	if s.server, err = s.newServer(); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	page, err := settings.StopPage.Load()
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	s.stopPage = stoppage.New(s.server.Decide, page)
	return s, nil
}

// awaitStore opens the store. It waits a moment if the previous process is still ending.
func awaitStore(s *config.Settings) (*blocklist.Store, error) {
	for end := time.Now().Add(busyWithin); ; time.Sleep(busyEvery) {
		store, err := s.OpenStore()
		if !errors.Is(err, blocklist.ErrBusy) || time.Now().After(end) {
			return store, err
		}
	}
}

func (s *Service) newServer() (*dnsfilter.Server, error) {
	c, err := s.settings.LoadServer()
	if err != nil {
		return nil, err
	}
	c.Store, c.Log, c.Primary, c.Notified = s.store, s.log, s.zones.primary(), s.notified
	c.Taps = s.logs.taps()
	return dnsfilter.New(c)
}

// loadMissing compiles the local lists that are not in the store. Then it returns memory to the system. That may pause
// the process, but no client is waiting yet.
func (s *Service) loadMissing() error {
	var err error
	if s.guards, err = s.guards.next(s.settings); err != nil {
		return err
	}
	if err := s.loadZones(); err != nil {
		return err
	}
	compiled := false
	for _, l := range s.settings.LocalFiles() {
		if held, _ := heldFile(l, s.store); held || l.Awaited() {
			continue
		}
		if err := s.local.loadSettled(l, s.guards); err != nil {
			return err
		}
		compiled = true
	}
	if compiled {
		debug.FreeOSMemory()
	}
	return nil
}

// loadZones loads the policy zones. One that was fetched and can't be read does not keep the service from starting.
func (s *Service) loadZones() error {
	for _, l := range s.settings.ZoneLists() {
		err := s.zoneLists.load(l, true)
		switch {
		case err == nil:
		case !l.Fetch.IsSet():
			return err
		default:
			s.log.Error("a policy zone can't be read, and is NOT ENFORCED", slog.String("list", l.Rule.List), slog.Any("error", err))
		}
	}
	return nil
}

// Run answers queries until ctx ends. Then it answers the queries in flight, and closes the store. A value from reload
// has the effect of [Service.Reload]. Changed files are noticed within a second. When ctx ends, the store is released
// at once, so that a successor can open it.
//
// A successor may also take over while ctx is not done, see [TakeOver]. Then Run returns once the successor answers
// queries.
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

// newFollowed returns the subscriptions of settings, and their lists that are fetched. Except at the start, it reuses
// those that have not changed.
func (s *Service) newFollowed(next *config.Settings, starting bool) (map[string]*subscription, fetchedLists, error) {
	if starting {
		s.subscriptions, s.fetched = nil, nil
	}
	subscriptions, err := s.newSubscriptions(next, s.guards, s.subscriptions, starting)
	if err != nil {
		return nil, nil, err
	}
	fetched, err := s.newFetched(next, s.fetched)
	return subscriptions, fetched, err
}

// start starts the subscriptions, what is fetched, and the policy zones.
func (s *Service) start(ctx context.Context, subscriptions map[string]*subscription, fetched fetchedLists) {
	s.subscriptions = replaceSubscriptions(ctx, nil, subscriptions)
	s.fetched = replaceFetched(ctx, nil, fetched, s.log)
	s.active.Store(&activeConfig{s.settings, s.subscriptions, s.guards, s.zones, s.fetched})
	s.replacePolicyZones(ctx, nil, s.zones)
}

// openControl opens the control socket. After an error, the service runs without it.
func (s *Service) openControl(ctx context.Context) *controlSocket {
	control, err := s.inherited.reopen()
	if err != nil {
		s.inherited.close()
		control, err = listenControl(ctx, s.settings.State)
	}
	if err != nil {
		s.log.Warn("status, holds, accept, reject, apply, reload, flush, cache, stats and taking over will not work", slog.Any("error", err))
	}
	return control
}

// workUntil does all work that writes to the store, until ctx ends. Then it releases the store. Queries are still
// answered from it until the end.
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

// notifyServing reports that queries are answered: to systemd, and to the predecessor.
func (s *Service) notifyServing() {
	if s.taken != nil {
		if err := s.taken(); err != nil {
			s.log.Warn("telling the predecessor that queries are answered failed", slog.Any("error", err))
		}
	}
	notify(s.log, daemon.SdNotifyReady)
}

// listen opens the sockets of the settings, or uses those that were passed to it.
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
