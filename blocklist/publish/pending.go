package publish

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/notekey"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// ErrNothingPending is returned when nothing waits for signatures.
var ErrNothingPending = errors.New("nothing is pending")

// Pending is a root or a release that waits for signatures, or that has them and waits to be pushed.
type Pending struct {
	List     string    `json:"list"`
	Root     int64     `json:"root,omitempty"`   // version of the root; 0 for a release
	Serial   uint64    `json:"serial,omitempty"` // of the release; 0 for a root
	Entries  uint64    `json:"entries,omitempty"`
	Digest   string    `json:"digest,omitempty"`
	Ledger   string    `json:"ledger,omitempty"`   // hash of the last operation that the release contains
	Override string    `json:"override,omitempty"` // why it passes although the guards held it
	Created  time.Time `json:"created,omitzero"`
	Expires  time.Time `json:"expires"`
	Signatures
	Before *Signatures  `json:"before,omitempty"` // of a root: the officers of the root before, enough of whom must sign, too
	Keys   []string     `json:"keys,omitempty"`   // of a root: the officers' public keys
	Online string       `json:"online,omitempty"` // of a root: the origin's key
	Urgent UrgentLimits `json:"urgent,omitzero"`  // of a root
	// Confidential reports whether the list is encrypted to its subscribers.
	Confidential bool     `json:"confidential,omitempty"`
	Changes      []string `json:"changes,omitempty"` // of a root: in what it differs from the one before, in words

	path     string // of the metadata
	metadata []byte
	root     *trust.Root // whose officers sign
	before   *trust.Root // of a root: the one before
}

// Signatures says who may sign and who has signed.
type Signatures struct {
	Threshold int      `json:"threshold"`
	Signed    []string `json:"signed"`   // officers with a valid signature
	Missing   []string `json:"missing"`  // officers without
	Officers  []string `json:"officers"` // who may sign

	signatures trust.Signatures
}

// Enough reports whether the signatures suffice.
func (q *Signatures) Enough() bool { return q.signatures.Enough() }

// Enough reports whether the signatures suffice.
func (p *Pending) Enough() bool {
	return p.Signatures.Enough() && (p.Before == nil || p.Before.Enough())
}

// dir is the folder of a release.
func (p *Pending) dir() string { return filepath.Dir(p.path) }

// What names it in a few words.
func (p *Pending) What() string {
	if p.Root > 0 {
		return fmt.Sprintf("%s root %d", p.List, p.Root)
	}
	return fmt.Sprintf("%s serial %d", p.List, p.Serial)
}

// Pending returns what waits: the root first, then a release. It fails with [ErrNothingPending] if nothing does.
func (l *Ledger) Pending() (*Pending, error) {
	version, err := l.newestRoot()
	if err != nil {
		return nil, err
	}
	if p, err := l.readPendingRoot(version + 1); !errors.Is(err, os.ErrNotExist) {
		return p, err
	}
	p, err := l.heldRelease()
	if err == nil && p == nil {
		err = ErrNothingPending
	}
	return p, err
}

// heldRelease returns the pending release, nil if there is none.
func (l *Ledger) heldRelease() (*Pending, error) {
	p, err := l.pendingRelease(l.path(pendingDir, releaseDir))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil //nolint:nilnil // see above
	}
	return p, err
}

// pendingRelease returns the release in the folder dir and who has signed it.
func (l *Ledger) pendingRelease(dir string) (*Pending, error) {
	root, err := l.root()
	if err != nil {
		return nil, err
	}
	rel, err := l.readRelease(dir)
	if err != nil {
		return nil, err
	}
	r := rel.targets.Newest()
	p := &Pending{
		List: r.List, Serial: r.Serial, Entries: r.Entries, Digest: r.Digest, Ledger: r.Ledger, Override: r.Override, Created: r.Created,
		Confidential: rel.targets.Confidential(), Expires: rel.targets.Expires, path: filepath.Join(dir, targetsFile), metadata: rel.metadata, root: root,
	}
	return p, p.countSignatures()
}

// countSignatures fills in who has signed.
func (p *Pending) countSignatures() error {
	if err := p.Signatures.count(p.root, p); err != nil || p.before == nil {
		return err
	}
	p.Before = &Signatures{}
	return p.Before.count(p.before, p)
}

// count counts the officers of a root among those who have signed p.
func (q *Signatures) count(root *trust.Root, p *Pending) error {
	s, err := trust.CheckSignatures(root, p.metadata)
	if err != nil {
		return fmt.Errorf("reading %s: %w", p.path, err)
	}
	*q = Signatures{
		Threshold: s.Threshold, Signed: names(s.Signed), Missing: names(s.Missing), Officers: names(root.Spec().Officers), signatures: s,
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

// Sign adds an officer's signature to p, which [Ledger.Pending] has returned, and returns how it stands then. A root that
// has enough signatures takes effect. Sign fails if what is pending has changed since, so that nobody signs what they have
// not seen, and if a release is not what the ledger's history leads to.
func (l *Ledger) Sign(ctx context.Context, p *Pending, officer crypto.Signer) (*Pending, error) {
	unlock, err := l.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := p.checkUnchanged(); err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	if err := p.checkOfficer(officer); err != nil {
		return nil, err
	}
	if p.Serial > 0 {
		if err := l.checkHistory(ctx, p); err != nil {
			return nil, fmt.Errorf("signing: %w", err)
		}
	}
	signed := *p
	if signed.metadata, err = trust.Sign(p.metadata, officer); err != nil {
		return nil, err
	}
	if err := signed.countSignatures(); err != nil {
		return nil, err
	}
	if err := disk.WriteFile(p.path, signed.metadata, 0o644); err != nil {
		return nil, err
	}
	return &signed, l.settleRoot()
}

func (p *Pending) checkOfficer(officer crypto.Signer) error {
	public, ok := officer.Public().(ed25519.PublicKey)
	if ok && (isOfficer(p.root, public) || isOfficer(p.before, public)) {
		return nil
	}
	return fmt.Errorf("signing: %w: the key is not that of an officer of %s; they are %q", blocklist.ErrUntrusted, p.List, p.Officers)
}

// checkUnchanged reports whether what waits is still what was read.
func (p *Pending) checkUnchanged() error {
	now, err := os.ReadFile(p.path)
	if err != nil || string(now) != string(p.metadata) {
		return fmt.Errorf("%w: what is pending has changed meanwhile; look at it again", blocklist.ErrUntrusted)
	}
	return nil
}

// recover finishes what a killed process left half done. The lock is held.
func (l *Ledger) recover(ctx context.Context) error {
	for _, dir := range []string{l.dir, l.path(rootsDir), l.path(pendingDir), l.path(pendingDir, releaseDir)} {
		if err := disk.RemoveTemps(dir); err != nil {
			return err
		}
	}
	if err := l.settleRoot(); err != nil {
		return err
	}
	return l.settlePush(ctx)
}

func (l *Ledger) settlePush(ctx context.Context) error {
	last, err := lastRelease(ctx, l.db)
	if err != nil {
		return err
	}
	pending, err := l.readRelease(l.path(pendingDir, releaseDir))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil || pending.serial() > last.Serial {
		return err
	}
	return l.file(last.Serial)
}

// file moves the pending release to those that were pushed.
func (l *Ledger) file(serial uint64) error {
	to := l.path(releasesDir, fmt.Sprint(serial))
	if err := os.Rename(l.path(pendingDir, releaseDir), to); err != nil {
		return err
	}
	return errors.Join(disk.SyncDir(filepath.Dir(to)), disk.SyncDir(l.path(pendingDir)))
}
