package publish

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// ErrNothingPending is returned when nothing waits for signatures.
var ErrNothingPending = errors.New("nothing is pending")

// Pending is a root or a release that waits for signatures, or that has them and waits to be pushed.
type Pending struct {
	List      string    `json:"list"`
	Root      int64     `json:"root,omitempty"`   // version of the root; 0 for a release
	Serial    uint64    `json:"serial,omitempty"` // of the release; 0 for a root
	Entries   uint64    `json:"entries,omitempty"`
	Digest    string    `json:"digest,omitempty"`
	Ledger    string    `json:"ledger,omitempty"` // hash of the last operation that the release contains
	Created   time.Time `json:"created,omitzero"`
	Expires   time.Time `json:"expires"`
	Threshold int       `json:"threshold"`
	Signed    []string  `json:"signed"`           // officers with a valid signature
	Missing   []string  `json:"missing"`          // officers without
	Officers  []string  `json:"officers"`         // who may sign
	Online    string    `json:"online,omitempty"` // of a root: the origin's key

	path       string // of the metadata
	metadata   []byte
	root       *trust.Root
	signatures trust.Signatures
}

// Enough tells whether the signatures suffice.
func (p *Pending) Enough() bool { return p.signatures.Enough() }

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
	path := l.path(pendingDir, trust.RootName(version+1))
	metadata, err := os.ReadFile(path)
	if err == nil {
		return readPendingRoot(path, metadata)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	p, err := l.pendingRelease(l.path(pendingDir, releaseDir))
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrNothingPending
	}
	return p, err
}

// newestRoot returns the version of the newest root that is fully signed, 0 if none is.
func (l *Ledger) newestRoot() (int64, error) {
	for version := int64(0); ; version++ {
		_, err := os.Stat(l.path(rootsDir, trust.RootName(version+1)))
		if errors.Is(err, os.ErrNotExist) {
			return version, nil
		}
		if err != nil {
			return 0, err
		}
	}
}

func readPendingRoot(path string, metadata []byte) (*Pending, error) {
	root, err := trust.ParseRoot(metadata)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	spec := root.Spec()
	p := &Pending{
		List: spec.List, Root: spec.Version, Expires: spec.Expires, Online: spec.Online.String(),
		path: path, metadata: metadata, root: root,
	}
	return p, p.countSignatures()
}

// pendingRelease returns the release in the folder dir and who has signed it.
func (l *Ledger) pendingRelease(dir string) (*Pending, error) {
	root, err := l.root()
	if err != nil {
		return nil, err
	}
	rel, err := readRelease(dir)
	if err != nil {
		return nil, err
	}
	r := rel.snapshot.Release
	p := &Pending{
		List: r.List, Serial: r.Serial, Entries: r.Entries, Digest: r.Digest, Ledger: r.Ledger, Created: r.Created,
		Expires: rel.targets.Expires, path: filepath.Join(dir, targetsFile), metadata: rel.metadata, root: root,
	}
	return p, p.countSignatures()
}

// root returns the newest root that enough officers have signed.
func (l *Ledger) root() (*trust.Root, error) {
	b, err := os.ReadFile(l.path(rootFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: the list's root waits for the officers' signatures; run blocklist sign first", blocklist.ErrUntrusted)
	}
	if err != nil {
		return nil, err
	}
	root, err := trust.ParseRoot(b)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", l.path(rootFile), err)
	}
	return root, nil
}

// countSignatures fills in who has signed.
func (p *Pending) countSignatures() error {
	s, err := trust.CheckSignatures(p.root, p.metadata)
	if err != nil {
		return fmt.Errorf("reading %s: %w", p.path, err)
	}
	p.signatures, p.Threshold, p.Signed, p.Missing = s, s.Threshold, names(s.Signed), names(s.Missing)
	p.Officers = names(p.root.Spec().Officers)
	return nil
}

func names(keys []trust.Key) []string {
	list := make([]string, len(keys))
	for i, k := range keys {
		list[i] = k.Name
	}
	return list
}

// Sign adds an officer's signature to p, which [Ledger.Pending] has returned, and returns how it stands then. A root that
// has enough signatures takes effect. Sign fails if what is pending has changed since, so that nobody signs what they have
// not seen.
func (l *Ledger) Sign(ctx context.Context, p *Pending, officer crypto.Signer) (*Pending, error) {
	unlock, err := l.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	now, err := os.ReadFile(p.path)
	if err != nil || string(now) != string(p.metadata) {
		return nil, fmt.Errorf("signing: %w: what is pending has changed meanwhile; look at it again", blocklist.ErrUntrusted)
	}
	if err := p.checkOfficer(officer); err != nil {
		return nil, err
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
	spec := p.root.Spec()
	for _, key := range spec.Officers {
		if key.Public.Equal(officer.Public()) {
			return nil
		}
	}
	return fmt.Errorf("signing: %w: the key is not that of an officer of %s; they are %q", blocklist.ErrUntrusted, spec.List, names(spec.Officers))
}

// settleRoot puts a pending root with enough signatures in force. Its own file under roots comes first, so that a crash
// in between is mended by the next call.
func (l *Ledger) settleRoot() error {
	version, err := l.newestRoot()
	if err != nil {
		return err
	}
	path := l.path(pendingDir, trust.RootName(version+1))
	if metadata, err := os.ReadFile(path); err == nil {
		p, err := readPendingRoot(path, metadata)
		if err != nil || !p.Enough() {
			return err
		}
		version++
		if err := disk.WriteFile(l.path(rootsDir, trust.RootName(version)), metadata, 0o644); err != nil {
			return err
		}
	}
	if version == 0 {
		return nil
	}
	if err := l.copyRoot(version); err != nil {
		return err
	}
	if err := os.Remove(l.path(pendingDir, trust.RootName(version))); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// copyRoot makes root.json the root of that version.
func (l *Ledger) copyRoot(version int64) error {
	newest, err := os.ReadFile(l.path(rootsDir, trust.RootName(version)))
	if err != nil {
		return err
	}
	if held, err := os.ReadFile(l.path(rootFile)); err == nil && string(held) == string(newest) {
		return nil
	}
	return disk.WriteFile(l.path(rootFile), newest, 0o644)
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
	pending, err := readRelease(l.path(pendingDir, releaseDir))
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
