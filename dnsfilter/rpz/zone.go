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

// Source is a list from which a zone is made.
type Source struct {
	Rule  dnsfilter.Rule // name and actions of the list; each action has to be one that CanSay accepts
	Allow bool           // it is an allow list: its names are never blocked, even if other lists have them
	// Version returns a text that identifies the current entries: it changes whenever they do. It fails if the list has no
	// entries to read.
	Version func() (string, error)
	// Entries returns the current entries, in any order. If they change during the iteration, the last value is an error.
	Entries func() iter.Seq2[blocklist.Entry, error]
	// Changes returns the changes since an earlier version, in the order of a delta. It returns false if they are not
	// known. Nil: they are never known.
	Changes func(since string) (iter.Seq2[blocklist.Change, error], bool)
}

// Config is the configuration of a [Zone].
type Config struct {
	Name    blocklist.Name
	Sources []Source         // allow lists first, then the other lists in order of precedence; at most MaxSources
	Keys    []Key            // TSIG keys: any of them for requests, the first for notifications; none: no signatures
	Allow   []netip.Prefix   // networks of the clients that may copy the zone
	Notify  []netip.AddrPort // addresses of the secondaries to notify of changes
	File    string           // path of a zone file to keep up to date; empty: none
	ZONEMD  bool             // the zone has a ZONEMD record, a digest of its records (RFC 8976)
	Log     *slog.Logger     // nil: no log
}

// Zone is a policy zone that other resolvers can copy. Its methods may be called concurrently.
type Zone struct {
	dir  string
	name blocklist.Name

	config  atomic.Pointer[Config]
	changed chan struct{} // receives a value from Configure; Run then updates the zone
	current atomic.Pointer[snapshot]

	running atomic.Int32 // number of transfers in progress
	warned  atomic.Int64 // time of the last warning about a refused request, in Unix nanoseconds

	mu      sync.Mutex
	err     error // why the last update failed, or why a source is not up to date
	counts  counts
	written string // path and serial of the zone file written last
}

// Open opens the zone in folder dir, with the serial of its last change, and creates the folder if it is missing. If
// the folder has no files, or damaged ones, the zone has no records until Run has made them. Open starts nothing. The
// folder must belong to the caller alone.
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

// Configure replaces the configuration, except the name of the zone.
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

// retryAfter is the time between a failed update and the next attempt.
const retryAfter = 10 * time.Second

// Run keeps the zone up to date and notifies its secondaries, until ctx ends. It calls watch before each update. The
// function watch returns a channel that is closed when a list changes after the call.
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

// wait waits for something that may change the zone: another state of the lists, a new configuration, an expiry, or the
// time to retry after a failure. It also returns if ctx ends.
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

// setError sets the error that Status shows. It reports whether the text of the error has changed.
func (z *Zone) setError(err error) (changed bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	changed = fmt.Sprint(z.err) != fmt.Sprint(err)
	z.err = err
	return changed
}
