// Package origin serves lists. It accepts pushes from agencies and verifies them exactly as a subscriber does. It signs
// with its online key which release is the newest, and serves everything as static files that any mirror can copy.
//
// An origin is a folder. The files below lists/ are public; online.key beside it is secret. Several processes may share
// the folder: each change takes the folder's lock, and its last step, replacing timestamp.json, commits it. An origin
// can withhold a list, but it can't add an entry to it: that requires the officers' signatures.
//
//	public, err := origin.Init(dir)                // once; agencies put this key into the roots of their lists
//	o, err := origin.Open(dir, origin.Options{})
//	list, err := o.Trust(root)                     // from now on it accepts pushes for this list
//	go o.Run(ctx)                                  // re-signs timestamps and announces releases
//	err = http.Serve(listener, o.Handler())
package origin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/utf8text"
)

// Names of files within the folder of an origin.
const (
	listsDir    = "lists"    // public files
	workDir     = "tmp"      // temporary folders of pushes
	evidenceDir = "evidence" // proofs of equivocations, by list
	lockFile    = "lock"
)

// Options configure an origin. The zero value selects the defaults.
type Options struct {
	Log *slog.Logger // nil: nothing is logged
	// Lifetime is how long a timestamp is valid: how long a frozen mirror goes unnoticed, and how long the origin may be
	// down before subscribers raise an alarm. Zero: 24 hours.
	Lifetime time.Duration
	// Resign is how often Run signs a new timestamp. Zero: a 24th of Lifetime.
	Resign time.Duration
}

// Origin serves the lists of one folder. It is safe for concurrent use, also by several processes.
type Origin struct {
	dir string
	o   Options
	mu  sync.Mutex // serialises the goroutines of this process; the folder's lock file works only between processes

	receipts sync.Mutex // serialises the goroutines that change receipts

	asking, receiving semaphore // limits on concurrent pushes

	verified verifiedCache
	health   health
	events   announcements
}

// Open opens a folder that Init created, and removes what interrupted pushes left there. It starts no goroutine.
func Open(dir string, o Options) (*Origin, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Lifetime <= 0 {
		o.Lifetime = 24 * time.Hour
	}
	if o.Resign <= 0 {
		o.Resign = o.Lifetime / 24
	}
	if len(keyFiles(dir)) == 0 {
		return nil, fmt.Errorf("opening the origin %s: there is no online key; make it with 'blocklist origin init'", dir)
	}
	or := &Origin{
		dir: dir, o: o,
		asking:    semaphore{all: maxAsking, each: maxAskingEach},
		receiving: semaphore{all: maxReceiving, each: maxReceivingEach},
	}
	return or, errors.Join(or.change(context.Background(), or.removeLeftovers), or.removeReceiptLeftovers())
}

// lockWait is the maximum time that a change waits for a lock of another process.
const lockWait = 3 * time.Second

// change calls the function do while it holds the folder's lock. It fails with [blocklist.ErrBusy] if another process
// keeps the lock.
func (o *Origin) change(ctx context.Context, do func() error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	lock, err := o.lock(ctx, filepath.Join(o.dir, lockFile))
	if err != nil {
		return err
	}
	return errors.Join(do(), lock.Close())
}

func (o *Origin) lock(ctx context.Context, path string) (io.Closer, error) {
	lock, err := disk.LockWithin(ctx, path, lockWait, nil)
	if errors.Is(err, disk.ErrLocked) {
		err = fmt.Errorf("origin %s: %w by another process; try again when it has finished", o.dir, blocklist.ErrBusy)
	}
	return lock, err
}

// Trust makes the origin accept pushes for the list of a root, and returns the list's name. Enough of the root's own
// officers must have signed it, and it must name an online key of this origin. Trusting the same root again is not an
// error. Newer roots come with pushes.
func (o *Origin) Trust(root []byte) (list string, err error) {
	root, err = utf8text.Decode(root)
	if err != nil {
		return "", fmt.Errorf("trusting a root: %w", err)
	}
	r, err := trust.OpenRoot(root)
	if err != nil {
		return "", fmt.Errorf("trusting a root: %w", err)
	}
	list = r.Spec().List
	if _, err := o.signer(r); err != nil {
		return list, fmt.Errorf("trusting %s: %w", list, err)
	}
	return list, o.change(context.Background(), func() error {
		held, err := o.load(list)
		if err == nil && held.root.ID() != r.ID() {
			return fmt.Errorf("trusting %s: %w: the origin trusts another root, number %d; newer roots come with a push", list,
				blocklist.ErrUntrusted, held.root.Version())
		}
		if err == nil || !errors.Is(err, errUnknown) {
			return err
		}
		dir := o.listDir(list)
		if err := os.MkdirAll(filepath.Join(dir, trust.TargetsDir), 0o755); err != nil {
			return fmt.Errorf("trusting %s: %w", list, err)
		}
		return disk.WriteFile(filepath.Join(dir, trust.RootName(r.Version())), root, 0o644)
	})
}
