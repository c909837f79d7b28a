package service

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/stoppage"
)

// busyWithin is how long a service that starts waits for another process to release the store.
const busyWithin = time.Second

// busyEvery is the interval between attempts to open the store.
const busyEvery = 2 * time.Millisecond

// Service is a complete resolver: store, local files, signed lists and server.
//
// Lists in the store are enforced from the first answer on, even if a file has changed or an origin can't be reached.
// Updates follow while queries are answered. A local list that is not in the store is loaded before the first answer.
// If that fails, the service does not start. A file that changes while it is read is read again. If a list has to be
// fetched and was never fetched before, it does not delay the start: the service logs that the list is missing, and
// enforces it as soon as it is fetched.
type Service struct {
	running

	read          func() (*config.Settings, error)
	settings      *config.Settings
	subscriptions map[string]*subscription
	watch         watcher
	guards        guards
	zones         policyZones
	fetched       fetchedLists

	reloads chan chan<- error // requests of Reload; the result of a reload is sent to the channel in the request

	// Sockets returns sockets that are open already. Run uses those that have a listen address of the settings, and
	// opens the others itself. Sockets is called once, when everything else is ready. It may be nil.
	Sockets func() (Sockets, error)
	taken   func() error // the function Taken in the result of Sockets; may be nil

	successors chan *net.UnixConn // connections of processes that request a hand-over
	released   chan struct{}      // closed after the store is released

	handingOver atomic.Bool
	inherited   *controlSocket // control socket of the service before a failed hand-over; nil: none
}

// New creates a service and opens its store, which Run closes. It starts nothing. The function read returns the
// settings; New calls it, and Run calls it again for each reload. The log may be nil.
func New(read func() (*config.Settings, error), log *slog.Logger) (*Service, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Service{
		running: running{log: log, started: time.Now(), outageLimit: outageLimit},
		read:    read, watch: watcher{}, reloads: make(chan chan<- error),
		successors: make(chan *net.UnixConn), released: make(chan struct{}),
	}
	if err := whileChanging(log, filesOf, s.readSettings); err != nil {
		return nil, err
	}
	store, err := awaitStore(s.settings)
	if err != nil {
		return nil, err
	}
	s.store = store
	for _, info := range store.Lists() {
		if info.Err != nil {
			log.Error("a list is NOT ENFORCED until it is fetched or read again", slog.String("list", info.List), slog.Any("error", info.Err))
		}
	}
	if err := whileChanging(log, s.ownFiles, s.prepare); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return s, nil
}

// readSettings reads the settings twice. The first reading shows which files to watch. It records the states of these
// files before the second reading, so that a later change is always noticed.
func (s *Service) readSettings() error {
	settings, err := s.read()
	if err != nil {
		return err
	}
	clear(s.watch)
	s.watch.baseline(settings.OwnFiles(), settings.Certificate)
	s.settings, err = s.read()
	s.atStart = s.settings
	return err
}

// filesOf returns the paths of the settings files in which the errors in err were found.
func filesOf(err error) (paths []string) {
	all, _ := errors.AsType[config.Errors](err)
	for _, e := range all {
		paths = append(paths, e.File)
	}
	return paths
}

func (s *Service) ownFiles(error) []string {
	return slices.Concat(s.settings.OwnFiles(), s.settings.Certificate.Files())
}

// prepare creates the server, the stop page, the logs and the policy zones from the settings and their files.
func (s *Service) prepare() error {
	if err := s.certificate.load(s.settings, s.log); err != nil {
		return err
	}
	s.local = &localLists{store: s.store, log: s.log, held: readLocalHolds(s.settings.State)}
	s.zoneLists = &zoneLists{
		log: s.log, dir: zoneCopies(s.settings.State), held: s.local.held, states: map[*dnsfilter.PolicyZone]zoneState{},
	}
	s.logs = newLogs(s.settings, s.log)
	var err error
	if s.zones, err = s.newPolicyZones(s.settings, nil); err != nil {
		return err
	}
	if s.server, err = s.newServer(); err != nil {
		return err
	}
	page, err := s.settings.StopPage.Load()
	if err != nil {
		return err
	}
	s.stopPage = stoppage.New(s.server.Decide, page)
	return nil
}

// awaitStore opens the store. If another process has it open, awaitStore waits up to busyWithin for that process to
// end.
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

// loadMissing creates the guards, loads the policy zones, and compiles the local lists that are not in the store. Lists
// that are still to be fetched are left out. After compiling, it returns memory to the system, which may pause the
// process; no client is waiting yet.
func (s *Service) loadMissing() error {
	var err error
	next := func() error { s.guards, err = s.guards.next(s.settings); return err }
	if err := whileChanging(s.log, s.ownFiles, next); err != nil {
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

// loadZones loads the policy zones. If one can't be read, it returns an error; but if that zone is fetched, or an
// earlier state of it is in force, it only logs the error.
func (s *Service) loadZones() error {
	for _, l := range s.settings.ZoneLists() {
		err := s.zoneLists.loadSettled(l, s.guards)
		inForce := s.zoneLists.state(l.Rule.Zone).source != ""
		switch {
		case err == nil:
		case inForce || l.Fetch.IsSet():
			logBadZone(s.log, l.Rule.List, inForce, err)
		default:
			return err
		}
	}
	return nil
}

// newFollowed returns the subscriptions and the fetched lists of the next settings. It reuses those that have not
// changed, except if the service is starting.
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

// start starts the goroutines of the subscriptions, of the fetched lists, and of the policy zones.
func (s *Service) start(ctx context.Context, subscriptions map[string]*subscription, fetched fetchedLists) {
	s.subscriptions = replaceSubscriptions(ctx, nil, subscriptions)
	s.fetched = replaceFetched(ctx, nil, fetched, s.log)
	s.active.Store(&activeConfig{s.settings, s.subscriptions, s.guards, s.zones, s.fetched})
	s.replacePolicyZones(ctx, nil, s.zones)
}

// openControl opens the control socket. If that fails, it logs a warning and returns nil: the service runs without it.
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
