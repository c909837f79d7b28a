package publish

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// ReleaseInfo describes a pushed release, from the ledger's record and from the signed metadata.
type ReleaseInfo struct {
	ReleaseRecord
	Added   uint64 `json:"added"`   // lines added since the previous release, including lines that were removed again
	Removed uint64 `json:"removed"` // lines removed since the previous release, including lines that were added again
	Entries uint64 `json:"entries"`
	// Listed counts the entries that this release lists and the previous one does not. Delisted counts the entries that
	// the previous release lists and this one does not. [Ledger.SignedReleases] does not set them.
	Listed   uint64 `json:"listed"`
	Delisted uint64 `json:"delisted"`
	// Created is the time at which the release was made. Created and the next five fields are read from the signed
	// metadata. They are empty if that metadata is not valid.
	Created   time.Time `json:"created,omitzero"`
	Expires   time.Time `json:"expires,omitzero"`
	Override  string    `json:"override,omitempty"`  // reason to override the guards; empty: they were not overridden
	Root      int64     `json:"root,omitempty"`      // version of the root whose officers have signed the release
	Threshold int       `json:"threshold,omitempty"` // number of officers who had to sign
	Signed    []string  `json:"signed,omitempty"`    // officers whose signatures are valid
	// Problem is why the signed metadata can't be trusted: it is missing, damaged, or lacks signatures. Empty: it is
	// valid.
	Problem string `json:"problem,omitempty"`
	// SignedDigest is the digest in the form that receipts contain: for a confidential list a keyed digest.
	SignedDigest string `json:"-"`
}

// Releases yields the last pushed releases, oldest first. The argument last is their maximum number; with 0, it yields
// all releases. It verifies the signatures on each release. The last value may be an error.
func (l *Ledger) Releases(ctx context.Context, last int) iter.Seq2[ReleaseInfo, error] {
	return l.releases(ctx, last, time.Time{}, true)
}

// ReleasesSince is [Ledger.Releases] for the releases that were pushed at or after a time.
func (l *Ledger) ReleasesSince(ctx context.Context, since time.Time) iter.Seq2[ReleaseInfo, error] {
	return l.releases(ctx, 0, since, true)
}

// SignedReleases is [Ledger.ReleasesSince] without Listed and Delisted, which stay 0: so it need not read the changes
// of each release.
func (l *Ledger) SignedReleases(ctx context.Context, since time.Time) iter.Seq2[ReleaseInfo, error] {
	return l.releases(ctx, 0, since, false)
}

func (l *Ledger) releases(ctx context.Context, last int, since time.Time, counted bool) iter.Seq2[ReleaseInfo, error] {
	return func(yield func(ReleaseInfo, error) bool) {
		s := l.signedReleases()
		for r, err := range l.history.LastReleases(ctx, last) {
			if err == nil && r.Pushed.Before(since) {
				continue
			}
			var info *ReleaseInfo
			if err == nil {
				info, err = s.describe(ctx, r)
			}
			if err == nil && counted {
				info.Listed, info.Delisted, err = l.history.ListedIn(ctx, r)
			}
			if err != nil {
				yield(ReleaseInfo{}, err)
				return
			}
			if !yield(*info, nil) {
				return
			}
		}
	}
}

// signedReleases reads and verifies the signed metadata of releases.
type signedReleases struct {
	*Ledger
	roots func() ([]*trust.Root, error) // returns all roots; reads them only once
}

func (l *Ledger) signedReleases() *signedReleases {
	return &signedReleases{l, sync.OnceValues(l.rootHistory)}
}

// describe returns the description of a release. If the signed metadata is not valid, it sets Problem instead of
// failing.
func (s *signedReleases) describe(ctx context.Context, r ledger.ReleaseLines) (*ReleaseInfo, error) {
	o, err := s.history.OperationByID(ctx, r.Operation)
	if err != nil {
		return nil, ledger.Damaged("release %d was made from operation %d, which is missing: %v", r.Serial, r.Operation, err)
	}
	info := &ReleaseInfo{ReleaseRecord: r.ReleaseRecord, Added: r.Added, Removed: r.Removed, Entries: o.Entries}
	if err := s.read(info, o); err != nil {
		info.Problem = err.Error()
	}
	return info, nil
}

// read reads the signed metadata of a release into info. It fails unless the metadata has enough signatures and matches
// the ledger's record of the release. The argument o is the last operation of the release.
func (s *signedReleases) read(info *ReleaseInfo, o Operation) error {
	metadata, err := os.ReadFile(filepath.Join(s.releasePath(info.Serial), targetsFile))
	if err != nil {
		return s.damaged(err, releasesDir, fmt.Sprint(info.Serial), targetsFile)
	}
	sealed, err := trust.ParseTargets(metadata)
	if err != nil {
		return err
	}
	root, by, err := s.signedUnder(sealed)
	if err != nil {
		return err
	}
	opened, err := s.openTargets(sealed)
	if err != nil {
		return err
	}
	signed := opened.Newest()
	if signed.List != s.list || signed.Serial != info.Serial || signed.Ledger != info.Head || signed.Digest != o.Digest {
		return ledger.Damaged("the history is not the one that was signed")
	}
	info.Created, info.Expires, info.Override = signed.Created, opened.Expires, signed.Override
	info.Root, info.Threshold, info.Signed = root.Version(), by.Threshold, names(by.Signed)
	info.SignedDigest = sealed.Newest().Digest
	return nil
}

// signedUnder returns the first root whose threshold is reached by signatures on the targets. It also returns these
// signatures.
func (s *signedReleases) signedUnder(targets trust.TargetsSpec) (root *trust.Root, by trust.Signatures, err error) {
	roots, err := s.roots()
	if err != nil {
		return nil, by, err
	}
	err = fmt.Errorf("%w: there is no root", blocklist.ErrUntrusted)
	for _, root = range roots {
		if by, err = targets.Signatures(root); err == nil {
			return root, by, nil
		}
	}
	return nil, by, err
}

// releaseLookup finds the release that published an operation. It reads the metadata of each release at most once.
type releaseLookup struct {
	*signedReleases
	known map[uint64]*ReleaseInfo
	// pending returns the serial and the last operation of the pending release; the serial is 0 if none is pending.
	pending func() (serial uint64, upTo int64)
}

func (l *Ledger) releaseLookup(ctx context.Context) *releaseLookup {
	pending := sync.OnceValues(func() (uint64, int64) { return l.pendingUpTo(ctx) })
	return &releaseLookup{l.signedReleases(), map[uint64]*ReleaseInfo{}, pending}
}

// pendingUpTo returns the serial and the last operation of the pending release. It returns 0 if there is none, and also
// if the release can't be read: a damaged pending release must not hide the history.
func (l *Ledger) pendingUpTo(ctx context.Context) (serial uint64, upTo int64) {
	p, err := l.waitingRelease()
	if p == nil || err != nil {
		return 0, 0
	}
	head, err := l.history.OperationByHash(ctx, p.Ledger)
	if err != nil {
		return 0, 0
	}
	return p.Serial, head.ID
}

// Publication is the release in which an operation was published, or will be.
type Publication struct {
	Release *ReleaseInfo `json:"release,omitempty"` // the first pushed release with the operation; nil: none yet
	Pending uint64       `json:"pending,omitempty"` // serial of the pending release with the operation; 0: none
}

// find returns the publication of the operation with this number.
func (f *releaseLookup) find(ctx context.Context, operation int64) (p Publication, err error) {
	r, err := f.history.ReleaseWith(ctx, operation)
	if err != nil {
		return p, err
	}
	if r.Serial == 0 {
		if serial, upTo := f.pending(); operation <= upTo {
			p.Pending = serial
		}
		return p, nil
	}
	if f.known[r.Serial] == nil {
		if f.known[r.Serial], err = f.describe(ctx, r); err != nil {
			return p, err
		}
	}
	p.Release = f.known[r.Serial]
	return p, nil
}

// Confidential reports whether the list is encrypted to its subscribers, or will be once its pending root has enough
// signatures.
func (l *Ledger) Confidential() bool {
	root, err := l.root()
	if err == nil && root.Spec().Confidential {
		return true
	}
	p, err := l.Pending()
	return err == nil && p.Confidential
}
