package rpz

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/dnsfilter"
)

// MaxSources is the maximum number of sources of a zone.
const MaxSources = 100

// Source is a list of a zone.
type Source struct {
	Rule  dnsfilter.Rule // its name, and its action by category; the action has to be one that CanSay accepts
	Allow bool           // an allow list: its names are never blocked, whatever else lists them
	// Version identifies the current entries. It changes whenever they do. It fails if there are none.
	Version func() (string, error)
	// Entries reads the current entries, in any order. If they change meanwhile, the last value has to be an error.
	Entries func() iter.Seq2[blocklist.Entry, error]
	// Changes reads what has changed since an earlier version, in the order of a delta. It returns false if the changes
	// are not known. Nil: they never are.
	Changes func(since string) (iter.Seq2[blocklist.Change, error], bool)
}

// Config is the configuration of a zone.
type Config struct {
	Name    blocklist.Name
	Sources []Source         // allow lists, then lists in the order of their precedence; at most MaxSources
	Keys    []Key            // any of them signs requests, the first one notifications; none: requests are not signed
	Allow   []netip.Prefix   // who may ask for the zone
	Notify  []netip.AddrPort // who is notified of changes
	File    string           // a zone file that is kept up to date; empty: none
	ZONEMD  bool             // the zone has a digest of its records (RFC 8976)
	Log     *slog.Logger     // nil: no log
}

// Zone is a policy zone. Its methods may be called concurrently.
type Zone struct {
	dir  string
	name blocklist.Name

	config  atomic.Pointer[Config]
	changed chan struct{} // has a value after Configure
	current atomic.Pointer[snapshot]

	running atomic.Int32 // transfers

	mu      sync.Mutex
	err     error // why the last update failed, or a source is not up to date
	counts  counts
	written string // what the zone file was written from last
}

// Open returns the zone that dir has, with the serial of its last change; a zone without files has no records until
// Run has made them. It creates the folder, and starts nothing. The caller must own the folder.
func Open(dir string, c Config) (*Zone, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening zone %s: %w", c.Name, err)
	}
	z := &Zone{dir: dir, name: c.Name, changed: make(chan struct{}, 1)}
	z.Configure(c)
	s, err := loadSnapshot(dir, c.Name)
	if err != nil {
		z.log().Error("the files of the zone are not used; it is made again", slog.Any("error", err))
	}
	z.current.Store(s)
	return z, nil
}

// Configure replaces the configuration, except the name.
func (z *Zone) Configure(c Config) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Log = c.Log.With(slog.String("zone", z.name.String()))
	z.config.Store(&c)
	select {
	case z.changed <- struct{}{}:
	default: // it has a value already
	}
}

func (z *Zone) log() *slog.Logger { return z.config.Load().Log }

// retryAfter is how long to wait until a failed update is tried again.
const retryAfter = 10 * time.Second

// Run keeps the zone up to date and notifies its secondaries, until ctx ends. The channel that watch returns has to be
// closed at the next change of a list.
func (z *Zone) Run(ctx context.Context, watch func() <-chan struct{}) {
	var notices sync.WaitGroup
	defer notices.Wait()
	told := func() {}
	defer func() { told() }()
	for first := true; ctx.Err() == nil; first = false {
		lists := watch()
		before := z.current.Load()
		err := z.update(ctx)
		if now := z.current.Load(); now != nil && (first || before == nil || now.Serial != before.Serial) {
			told()
			notify, cancel := context.WithCancel(ctx)
			told = cancel
			notices.Go(func() { z.notify(notify, now) })
		}
		err = errors.Join(err, z.writeFile())
		if z.setError(err) && err != nil && ctx.Err() == nil && !errors.Is(err, errChanging) {
			z.log().Error("the zone is not up to date", slog.Any("error", err))
		}
		z.wait(ctx, lists, err != nil)
	}
}

// wait returns when the zone may have to change.
func (z *Zone) wait(ctx context.Context, lists <-chan struct{}, failed bool) {
	var due <-chan time.Time
	after := time.Duration(-1)
	if s := z.current.Load(); s != nil && s.Expiry != 0 {
		after = max(time.Until(time.Unix(s.Expiry, 0)), 0)
	}
	if failed && (after < 0 || after > retryAfter) {
		after = retryAfter
	}
	if after >= 0 {
		timer := time.NewTimer(min(after, 24*time.Hour))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
	case <-lists:
	case <-z.changed:
	case <-due:
	}
}

// setError sets the error of the zone. It reports whether the text has changed.
func (z *Zone) setError(err error) (changed bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	changed = fmt.Sprint(z.err) != fmt.Sprint(err)
	z.err = err
	return changed
}
