package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/utf8text"
)

// RecoverOptions has the trusted root and the keys for a recovery, its author, and how it waits and reports progress.
type RecoverOptions struct {
	Root     []byte // content of a root.json of the list, the root to be trusted
	Identity []byte // age identities; needed for a confidential list whose list key is not in the folder
	Audit    Audit
	Progress func(read uint64) // called from time to time with the number of rows or entries read; may be nil
	Wait     time.Duration     // maximum time to wait while another process changes the folder
	Waiting  func(Holder)      // called after a second of waiting; may be nil
}

// Recovered is the result of [Recover].
type Recovered struct {
	List    string `json:"list"`
	Serial  uint64 `json:"serial"`  // serial of the adopted release
	Entries uint64 `json:"entries"` // number of entries in that release
	Root    int64  `json:"root"`    // version of the newest root
	// Operation is the recovery in the history. It is the zero value if the ledger was up to date.
	Operation Operation `json:"operation,omitzero"`
	// Again has the operations that the ledger had and the release does not have. They are recorded again, and their
	// changes wait for the next release.
	Again  []Operation `json:"again,omitempty"`
	Mended []string    `json:"mended,omitempty"` // paths of missing or damaged files that were restored
	// Aside has the new paths of files that were set aside, since they contradict the release or can't be read.
	Aside []string `json:"aside,omitempty"`
	// Skipped has the serials of signed releases that were set aside. These serials are not used again.
	Skipped []Skipped `json:"skipped,omitempty"`
	Notes   []string  `json:"notes,omitempty"` // other facts that a person must know
}

// Recover brings the agency's folder dir to the state of a signed release. The folder may be older than that release
// (restored from a backup), damaged, empty or missing. The bundle must contain the newest release. Recover verifies
// everything in the bundle, beginning with the root o.Root.
//
// If the ledger is behind, it gets an operation of [KindRecover], which adopts the serial, ledger head and entries of
// the release. Operations that only the ledger has are recorded again after that, and wait for the next release.
// Missing and damaged parts of the folder are restored from the bundle.
//
// If a recovery is interrupted, either nothing has changed, or the next command completes it. Recover fails with
// [blocklist.ErrUntrusted] if the release was not signed, with [blocklist.ErrRollback] if the ledger has a newer
// release, and with [blocklist.ErrNoKey] if a confidential list can't be decrypted.
func Recover(ctx context.Context, dir string, bundle io.Reader, o RecoverOptions) (r Recovered, err error) {
	if err := o.Audit.Check(); err != nil {
		return r, err
	}
	if o.Root, err = utf8text.Decode(o.Root); err != nil {
		return r, fmt.Errorf("the given root: %w", err)
	}
	if err := errors.Join(os.MkdirAll(dir, 0o700), makeFolders(dir)); err != nil {
		return r, err
	}
	unlock, err := ledger.LockFolder(ctx, dir, o.Wait, o.Waiting)
	if err != nil {
		return r, err
	}
	defer unlock()
	staged := folder{dir: filepath.Join(dir, disk.TempPrefix+"recover")}
	defer os.RemoveAll(staged.dir) //nolint:errcheck // the next command tries again
	if err := disk.RemoveTemps(dir); err != nil {
		return r, err
	}
	d := folder{dir: dir}
	s, err := readSource(bundle, staged, o.Root, func(spec trust.TargetsSpec) (trust.TargetsSpec, error) {
		return d.listKey(spec, staged, o.Identity)
	})
	if err != nil {
		return r, fmt.Errorf("verifying what was signed: %w", err)
	}
	v := &recovery{source: s, o: o, to: &Ledger{folder: d}, at: time.Now().UTC()}
	v.to.list = s.list
	v.r = Recovered{List: s.list, Serial: s.signed.Serial, Entries: s.signed.Entries, Root: s.root.Version()}
	err = v.run(ctx)
	return v.r, err
}

// recovery is one call of [Recover] in progress. The caller holds the lock of the folder.
type recovery struct {
	*source
	o    RecoverOptions
	to   *Ledger
	r    Recovered
	at   time.Time
	lost bool          // whether the ledger was missing, unreadable or damaged
	last ReleaseRecord // the newest release that the ledger had recorded
	// drop has the releases to remove from the ledger: their metadata is lost, or another release with the same serial
	// was signed.
	drop []ReleaseRecord
	// since is the newest serial of the ledger from which the recovery continues, or 0 if there is none.
	since uint64
	base  int64 // number of the last operation of the release with that serial
}

func (v *recovery) run(ctx context.Context) error {
	lost, err := v.open(ctx)
	if err != nil {
		return err
	}
	v.lost = lost
	if lost {
		if err := v.mend(); err != nil {
			return err
		}
		err := ledger.Create(ctx, v.to.dir, v.list, Audit{Author: v.o.Audit.Author, Reason: "made again by a recovery"}, func(h *ledger.Ledger) error {
			v.to.history = h
			return v.adopt(ctx)
		})
		if err != nil {
			return err
		}
		v.note("a release has neither the settings of the guards, nor checks of pages, nor roles, nor proposals, nor who subscribes: set them again")
		if v.to.history, err = ledger.Open(v.to.dir, v.to.resume); err != nil {
			return err
		}
	}
	defer v.to.Close() //nolint:errcheck // every change is on the disk already
	if !lost {
		if err := v.advance(ctx); err != nil {
			return err
		}
	}
	aside, err := v.to.finishRecovery(ctx)
	v.r.Aside = append(v.r.Aside, aside...)
	if err == nil {
		err = v.to.resume(ctx)
	}
	if err != nil {
		return err
	}
	return errors.Join(v.checkPending(ctx), v.noteSubscribers(ctx))
}

// note adds a note for a person. The history accepts no invisible or control characters, so note replaces them with
// question marks.
func (v *recovery) note(format string, args ...any) {
	v.r.Notes = append(v.r.Notes, strings.Map(func(r rune) rune {
		if utf8text.Unsafe(r) {
			return '?'
		}
		return r
	}, fmt.Sprintf(format, args...)))
}

// open opens and verifies the ledger. If the ledger is unreadable or damaged, open sets it aside. Lost reports whether
// there is no usable ledger.
func (v *recovery) open(ctx context.Context) (lost bool, err error) {
	v.to.history, err = ledger.Open(v.to.dir, v.to.resume)
	if errors.Is(err, os.ErrNotExist) { // a recovery that was killed has perhaps left the other files
		return true, v.setAsideLedger()
	}
	if err == nil {
		err = v.to.history.Read(ctx, func(view ledger.View) error {
			_, err := view.Verify(ctx, v.o.Progress)
			return err
		})
	}
	if err != nil && v.to.history != nil {
		err = errors.Join(err, v.to.Close())
	}
	if !errors.Is(err, blocklist.ErrDamaged) {
		return false, err
	}
	v.note("the ledger was damaged (%v): its history begins again; what it held beyond serial %d is only in the copy that was set aside", err, v.signed.Serial)
	return true, v.setAsideLedger()
}

// setAsideLedger sets all files of the database aside, since a journal of the old database must not remain beside the
// new one.
func (v *recovery) setAsideLedger() error {
	for _, name := range ledger.DatabaseFiles() {
		if err := v.setAside(name); err != nil {
			return err
		}
	}
	return nil
}

// advance brings the ledger to the state of the release, unless the ledger has recorded that release.
func (v *recovery) advance(ctx context.Context) (err error) {
	if list := v.to.history.List(); list != v.list {
		return fmt.Errorf("%w: the ledger is of %q, the release of %q", blocklist.ErrUntrusted, list, v.list)
	}
	if v.last, err = v.to.history.LastRelease(ctx); err != nil {
		return err
	}
	if v.last.Serial > v.signed.Serial {
		return fmt.Errorf("%w: the ledger has serial %d, pushed on %s; the newest release here is serial %d; blocklist push brings the newer one", blocklist.ErrRollback,
			v.last.Serial, v.last.Pushed.Format(time.DateOnly), v.signed.Serial)
	}
	if err := v.mend(); err != nil {
		return err
	}
	if err := v.compare(ctx); err != nil {
		return err
	}
	if v.upToDate() && len(v.drop) == 0 {
		return nil
	}
	if err := v.adopt(ctx); err != nil {
		return err
	}
	if step, err := v.to.history.LastStep(ctx); err == nil && step.ID > 0 {
		v.note("proposals are in no release: those that were made or decided on after %s are lost, unless they are here", ledger.FormatTime(step.Time))
	}
	for _, r := range v.drop {
		if err := v.setAside(releasesDir, fmt.Sprint(r.Serial)); err != nil {
			return err
		}
	}
	return nil
}

// upToDate reports whether the ledger has recorded the release.
func (v *recovery) upToDate() bool {
	return v.last.Serial == v.signed.Serial && v.last.Head == v.signed.Ledger
}

// compare compares the ledger's releases with the signed release. It sets v.drop to the releases that must be removed
// from the ledger, and v.since and v.base to the last release from which the recovery can continue.
func (v *recovery) compare(ctx context.Context) error {
	roots, err := v.to.rootHistory()
	if err != nil {
		return err
	}
	for r, err := range v.to.history.Releases(ctx) {
		if err != nil {
			return err
		}
		signed, known := v.release.targets.State(r.Serial)
		switch {
		case known && signed.Ledger != r.Head:
			v.note("%v: another serial %d than the one here was signed: this ledger had %.12s, the release has %.12s", blocklist.ErrEquivocation,
				r.Serial, r.Head, signed.Ledger)
		case r.Serial == v.signed.Serial || v.intact(r, roots):
			v.since, v.base = r.Serial, r.Operation
			continue
		default:
			v.note("the signed metadata of serial %d is lost", r.Serial)
			v.since, v.base = r.Serial, r.Operation
		}
		if r.Serial < v.signed.Serial {
			v.drop = append(v.drop, r)
		}
	}
	return nil
}

// intact reports whether the folder has the metadata of the release r, with enough signatures.
func (v *recovery) intact(r ReleaseRecord, roots []*trust.Root) bool {
	rel, err := v.to.readRelease(v.to.path(releasesDir, fmt.Sprint(r.Serial)))
	if err != nil || rel.targets.Newest().Ledger != r.Head {
		return false
	}
	_, err = signedUnder(roots, rel.metadata)
	return err == nil
}

// adopt records the recovery, and then again the operations that only the ledger has, in one transaction.
func (v *recovery) adopt(ctx context.Context) error {
	h := v.to.history
	head, err := h.Head(ctx)
	if err != nil {
		return err
	}
	_, err = h.OperationByHash(ctx, v.signed.Ledger)
	known := err == nil
	by := v.o.Audit
	doomed, err := v.doomed()
	if err != nil {
		return err
	}
	by.Reference = adoption{v.signed.Serial, v.signed.Ledger, head.Hash}.String()
	by.Reason = v.describe(known, by.Reason)
	err = h.RecordAll(ctx, func(record ledger.Recorder) error {
		err := record(KindRecover, by, func(t *ledger.Tx) error { return v.fill(ctx, t, known) })
		if err == nil && !known { // otherwise what is beyond the release stands after it already
			err = v.repeatAll(ctx, record)
		}
		if err == nil {
			err = v.skip(record, doomed)
		}
		return errors.Join(err, v.repeatSubscribers(ctx, record))
	})
	if err != nil {
		return fmt.Errorf("recording the recovery: %w", err)
	}
	return v.report(ctx, head)
}

// repeatSubscribers records all subscribers again. It is not known who could read the adopted release, so the officers
// must see all subscribers when they sign the next release.
func (v *recovery) repeatSubscribers(ctx context.Context, record ledger.Recorder) error {
	all, err := v.to.Subscribers(ctx)
	for _, s := range all {
		if err == nil {
			err = record(KindSubscribe, Audit{
				Author: s.Author, Reason: shorten(because(repeatedSubscriber.Text, s.Reason), maxText), Reference: s.Name + " " + s.Recipient,
			}, nil)
		}
	}
	return err
}

// repeatAll records again the operations that only the ledger has: those that have changed entries or orders, and those
// of [KindSkip]. It leaves out earlier recoveries.
func (v *recovery) repeatAll(ctx context.Context, record ledger.Recorder) error {
	var before Operation
	for o, err := range v.to.history.Operations(ctx, ledger.Range{After: v.base - 1}) {
		if err != nil {
			return err
		}
		last := before.LastChange
		if before = o; o.ID <= v.base || o.LastChange == last && o.Kind != KindSkip || o.Kind == KindRecover {
			continue
		}
		if err := record(o.Kind, again(o), func(t *ledger.Tx) error { return t.Repeat(ctx, o, last) }); err != nil {
			return err
		}
	}
	return nil
}
