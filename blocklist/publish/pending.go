package publish

import (
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/notekey"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// ErrNothingPending is returned if no root, no release and no urgent orders wait for signatures.
var ErrNothingPending = errors.New("nothing is pending")

// Pending is a document that waits: a root for signatures, a release for signatures or the push, or urgent orders for
// the signature of one officer.
type Pending struct {
	List string `json:"list"`
	Root int64  `json:"root,omitempty"` // version of the root; 0: not a root
	// Serial is the serial of the release, or of the release to which urgent orders add. It is 0 for a root.
	Serial uint64 `json:"serial,omitempty"`
	// Number is the number of a document of urgent orders among the documents for the same release, from 1. It is 0 for
	// a root or release.
	Number   int64     `json:"urgent_orders,omitempty"`
	Entries  uint64    `json:"entries,omitempty"`
	Digest   string    `json:"digest,omitempty"`
	Ledger   string    `json:"ledger,omitempty"`   // hash of the release's last operation
	Override string    `json:"override,omitempty"` // reason to override the guards; empty: they were not overridden
	Created  time.Time `json:"created,omitzero"`
	Expires  time.Time `json:"expires"` // expiry of the metadata; for urgent orders the end of the last order
	Signatures
	Before *Signatures `json:"before,omitempty"` // signatures of the previous root's officers; only for a root
	// Fingerprint is the fingerprint of the root, see [Fingerprint]; only for a root.
	Fingerprint string       `json:"fingerprint,omitempty"`
	Keys        []Key        `json:"keys,omitempty"`  // public keys of the officers; only for a root
	Online      Key          `json:"online,omitzero"` // public key of the origin; only for a root
	Urgent      UrgentLimits `json:"urgent,omitzero"` // limits on urgent orders; only for a root
	// Confidential reports whether the list is encrypted to its subscribers.
	Confidential bool      `json:"confidential,omitempty"`
	Changes      []Message `json:"changes,omitempty"` // differences from the previous root, in words; only for a root
	// Author, Reason and Reference are those with which urgent orders were prepared. Orders has the lines of all entries
	// that are ordered once an officer has signed. Only urgent orders have these fields.
	Author    string   `json:"author,omitempty"`
	Reason    string   `json:"reason,omitempty"`
	Reference string   `json:"reference,omitempty"`
	Orders    []string `json:"orders,omitempty"`
	// Signer is the officer who has just signed. Again reports whether that officer had signed before. Only Sign and
	// AddSignature set these two fields.
	Signer string `json:"signer,omitempty"`
	Again  bool   `json:"again,omitempty"`

	base     uint64            // serial of the previous release; 0: there is none, or this is not a release
	orders   []blocklist.Entry // the entries of an urgent document; nil for a release or root
	path     string            // path of the metadata file
	metadata []byte
	root     *trust.Root // the root whose officers sign
	before   *trust.Root // the previous root; only for a root
}

// Signatures lists the officers who may sign, and those who have signed.
type Signatures struct {
	Threshold int      `json:"threshold"`
	Signed    []string `json:"signed"`   // names of the officers with a valid signature
	Missing   []string `json:"missing"`  // names of the officers without a valid signature
	Officers  []string `json:"officers"` // names of all officers

	signatures trust.Signatures
}

// Enough reports whether enough officers have signed.
func (q *Signatures) Enough() bool { return q.signatures.Enough() }

// Enough reports whether p has enough signatures. A root also needs enough signatures of the previous root's officers.
func (p *Pending) Enough() bool {
	return p.Signatures.Enough() && (p.Before == nil || p.Before.Enough())
}

// dir returns the folder of the pending release p.
func (p *Pending) dir() string { return filepath.Dir(p.path) }

// What returns a name for the pending document: the list with the version of the root or with the serial, such as
// "it.example/csam serial 3". The name of urgent orders also has their number.
func (p *Pending) What() string {
	switch {
	case p.Root > 0:
		return whatRoot.With(p.List, p.Root).String()
	case p.Number > 0:
		return whatOrders.With(p.List, p.Number, p.Serial).String()
	case p.unreadable():
		return whatPart.With(p.List, filepath.Base(p.path)).String()
	}
	return whatRelease.With(p.List, p.Serial).String()
}

// Pending returns the pending root, or else the pending release. It fails with [ErrNothingPending] if there is neither.
// Pending urgent orders are returned by [Ledger.PendingUrgent].
func (d folder) Pending() (*Pending, error) {
	version, err := d.newestRoot()
	if err != nil {
		return nil, err
	}
	if p, err := d.readPendingRoot(version + 1); !errors.Is(err, os.ErrNotExist) {
		return p, err
	}
	p, err := d.waitingRelease()
	if err == nil && p == nil {
		err = ErrNothingPending
	}
	return p, err
}

// unreadable reports whether p was returned by [Ledger.Unreadable].
func (p *Pending) unreadable() bool { return p.Root == 0 && p.Serial == 0 }

// Unreadable returns a damaged root or release that is pending. [Ledger.Pending] fails with a [PartError] for such a
// document; Unreadable returns it, so that it can be refused. It fails with [ErrNothingPending] if no pending root or
// release is damaged.
func (l *Ledger) Unreadable() (*Pending, error) {
	part := (*PartError)(nil)
	_, err := l.Pending()
	if !errors.As(err, &part) || !part.Pending() {
		return nil, fmt.Errorf("%w that can't be read", ErrNothingPending)
	}
	p := &Pending{List: l.list, path: l.path(part.Part)}
	p.metadata, err = os.ReadFile(p.path)
	return p, err
}

// waitingRelease returns the pending release, or nil if there is none.
func (d folder) waitingRelease() (*Pending, error) {
	p, err := d.pendingRelease(d.path(pendingDir, releaseDir))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil //nolint:nilnil // see above
	}
	return p, d.damaged(err, pendingDir, releaseDir, targetsFile)
}

// pendingRelease returns the release in the folder dir as a [Pending], with its signatures.
func (d folder) pendingRelease(dir string) (*Pending, error) {
	root, err := d.root()
	if err != nil {
		return nil, err
	}
	rel, err := d.readRelease(dir)
	if err != nil {
		return nil, err
	}
	base, err := d.baseOf(rel.targets)
	if err != nil {
		return nil, err
	}
	r := rel.targets.Newest()
	p := &Pending{
		List: r.List, Serial: r.Serial, Entries: r.Entries, Digest: r.Digest, Ledger: r.Ledger, Override: r.Override,
		Created:      r.Created,
		Confidential: rel.targets.Confidential(), Expires: rel.targets.Expires, path: filepath.Join(dir, targetsFile),
		metadata: rel.metadata, root: root, base: base,
	}
	return p, p.countSignatures()
}

// baseOf returns the serial of the release before the one with these targets. It takes the highest base of the deltas
// to the serial of these targets. If there are no such deltas, it takes the newest earlier serial in the folder
// releases. It returns 0 if there is none.
func (d folder) baseOf(targets trust.TargetsSpec) (base uint64, err error) {
	serial := uint64(targets.Version)
	for _, f := range targets.Files {
		if f.Release.Serial == serial {
			base = max(base, f.Release.Base)
		}
	}
	if base > 0 {
		return base, nil
	}
	pushed, err := os.ReadDir(d.path(releasesDir))
	if os.IsNotExist(err) {
		return 0, nil
	}
	for _, dir := range pushed {
		if n, parseErr := strconv.ParseUint(dir.Name(), 10, 63); parseErr == nil && n < serial {
			base = max(base, n)
		}
	}
	return base, err
}

// IsRelease reports whether p is a release, not a root or urgent orders.
func (p *Pending) IsRelease() bool { return p.Serial > 0 && p.Number == 0 }

// countSignatures sets the fields about signatures: which officers have signed p, and which have not.
func (p *Pending) countSignatures() error {
	err := p.Signatures.count(p.root, p)
	if p.Number > 0 {
		p.Threshold, p.signatures.Threshold = 1, 1
	}
	if err != nil || p.before == nil {
		return err
	}
	p.Before = &Signatures{}
	return p.Before.count(p.before, p)
}

// count sets q to the signatures on p that the officers of this root have made.
func (q *Signatures) count(root *trust.Root, p *Pending) error {
	s, err := trust.CheckSignatures(root, p.metadata)
	if err != nil {
		return fmt.Errorf("reading %s: %w", p.path, err)
	}
	*q = Signatures{
		Threshold: s.Threshold, Signed: names(s.Signed), Missing: names(s.Missing),
		Officers: names(root.Spec().Officers), signatures: s,
	}
	return nil
}

func names(keys []notekey.Key) []string {
	list := make([]string, len(keys))
	for i, k := range keys {
		list[i] = k.Name
	}
	return list
}

// readPendingRoot reads the pending root with this version. It fails with [os.ErrNotExist] if there is none.
func (d folder) readPendingRoot(version int64) (*Pending, error) {
	path := d.pendingRootPath(version)
	metadata, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	root, err := trust.ParseRoot(metadata)
	if err != nil {
		return nil, d.damaged(err, pendingDir, trust.RootName(version))
	}
	spec := root.Spec()
	p := &Pending{
		List: spec.List, Root: spec.Version, Expires: spec.Expires, Online: describeKey(spec.Online),
		Urgent:      UrgentLimits(spec.Urgent),
		Fingerprint: rootFingerprint(root), Keys: describeKeys(spec.Officers), Confidential: spec.Confidential,
		path: path, metadata: metadata, root: root,
	}
	if version > 1 {
		if p.before, err = d.openRoot(version - 1); err != nil {
			return nil, err
		}
		p.Changes = changesOf(p.before.Spec(), spec)
	}
	return p, p.countSignatures()
}

// officer returns the name of the officer with this key, or an empty text if no officer has it.
func (p *Pending) officer(key ed25519.PublicKey) string {
	for _, root := range []*trust.Root{p.root, p.before} {
		if root == nil {
			continue
		}
		if i := slices.IndexFunc(root.Spec().Officers, notekey.Key{Public: key}.Equal); i >= 0 {
			return root.Spec().Officers[i].Name
		}
	}
	return ""
}

// setSigner sets Signer to the name of the officer who has just signed, and Again to whether that officer had signed
// before. The argument before is p without the new signature.
func (p *Pending) setSigner(before *Pending, officer crypto.Signer) {
	public, _ := officer.Public().(ed25519.PublicKey)
	p.Signer = p.officer(public)
	p.Again = len(p.Signed) == len(before.Signed) && (p.Before == nil || len(p.Before.Signed) == len(before.Before.Signed))
}

// check fails with [blocklist.ErrMalformed] if p is nil, or was not returned by a method of this package.
func (p *Pending) check() error {
	if p == nil || p.path == "" {
		return fmt.Errorf("%w: Ledger.Pending returns what waits for signatures", blocklist.ErrMalformed)
	}
	return nil
}

// checkRelease fails with [blocklist.ErrMalformed] if p is not a pending release that [Ledger.Pending] has returned.
func (p *Pending) checkRelease() error {
	if err := p.check(); err != nil {
		return err
	}
	if !p.IsRelease() {
		return fmt.Errorf("%s: %w: it is no release", p.What(), blocklist.ErrMalformed)
	}
	return nil
}
