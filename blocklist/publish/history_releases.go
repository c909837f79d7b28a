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

// ReleaseInfo describes a pushed release: what the ledger has recorded about it, and what is in its signed metadata.
type ReleaseInfo struct {
	ReleaseRecord
	Added   uint64 `json:"added"`   // lines added since the previous release, even if they were removed again
	Removed uint64 `json:"removed"` // lines removed since the previous release, even if they were added again
	Entries uint64 `json:"entries"`
	// Listed counts the entries that this release lists and the previous one does not. Delisted counts those that the
	// previous one lists and this one does not. Only [Ledger.Releases] sets the two.
	Listed   uint64 `json:"listed"`
	Delisted uint64 `json:"delisted"`
	// Created, Signed and the fields below them are read from the signed metadata. They are empty if that metadata is
	// not valid.
	Created   time.Time `json:"created,omitzero"`
	Expires   time.Time `json:"expires,omitzero"`
	Override  string    `json:"override,omitempty"`  // reason to override the guards
	Root      int64     `json:"root,omitempty"`      // version of the root whose officers have signed
	Threshold int       `json:"threshold,omitempty"` // how many of them had to
	Signed    []string  `json:"signed,omitempty"`    // officers whose signatures are valid
	// Problem is the reason why the signed metadata can't be trusted: it is missing, damaged, or lacks signatures.
	Problem string `json:"problem,omitempty"`
	// SignedDigest is the digest in the form that receipts have: for a confidential list it is keyed.
	SignedDigest string `json:"-"`
}

// Releases yields the last pushed releases, so many as last says, oldest first; with last 0, all releases. It verifies
// the signatures on each release. The last value may be an error.
func (l *Ledger) Releases(ctx context.Context, last int) iter.Seq2[ReleaseInfo, error] {
	return l.releases(ctx, last, time.Time{}, true)
}

// SignedReleases is [Ledger.Releases] for the releases that were pushed since a time. It does not set Listed and
// Delisted, so it does not read the changes of each release.
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

// signedReleases reads what the officers have signed about releases.
type signedReleases struct {
	*Ledger
	roots func() ([]*trust.Root, error) // reads the roots at the first call only
}

func (l *Ledger) signedReleases() *signedReleases {
	return &signedReleases{l, sync.OnceValues(l.rootHistory)}
}

// describe returns the info about a release, from the ledger and from the signed metadata.
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

// read reads the signed metadata of a release, and verifies that it has enough signatures and belongs to the release.
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

// signedUnder returns the first root whose officers have signed the targets in sufficient number, and their signatures.
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

// releaseLookup finds the release that published an operation. It reads each release once.
type releaseLookup struct {
	*signedReleases
	known   map[uint64]*ReleaseInfo
	pending func() (serial uint64, upTo int64) // serial and last operation of the pending release; 0: there is none
}

func (l *Ledger) releaseLookup(ctx context.Context) *releaseLookup {
	pending := sync.OnceValues(func() (uint64, int64) { return l.pendingUpTo(ctx) })
	return &releaseLookup{l.signedReleases(), map[uint64]*ReleaseInfo{}, pending}
}

// pendingUpTo returns the serial of the pending release and its last operation. It returns 0 if there is no pending
// release, or if it can't be read: a damaged pending release must not hide the history.
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

// Publication is the release in which an operation was published.
type Publication struct {
	Release *ReleaseInfo `json:"release,omitempty"` // the first pushed release with the operation; nil: none yet
	Pending uint64       `json:"pending,omitempty"` // serial of the pending release with the operation; 0: none
}

// find returns the publication of an operation.
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

// Confidential reports whether the list is encrypted to its subscribers, or will be once its pending root is signed.
func (l *Ledger) Confidential() bool {
	root, err := l.root()
	if err == nil && root.Spec().Confidential {
		return true
	}
	p, err := l.Pending()
	return err == nil && p.Confidential
}
