package publish

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// LedgerFile is the name of the database in the agency's folder.
const LedgerFile = ledger.DatabaseFile

// Names in the agency's folder.
const (
	rootFile    = "root.json"
	rootsDir    = "roots"
	pendingDir  = "pending"
	releasesDir = "releases"
	releaseDir  = "release" // folder of the pending release, below pending; a push renames it to releases/SERIAL
	targetsFile = "targets.json"
	filesDir    = "files"       // folder of the snapshots and deltas of the last release and of the pending one
	keysDir     = "keys"        // folder of all keys that a confidential list has had; only officers may read it
	urgentDir   = "urgent"      // folder of all documents of urgent orders, each named by its version
	urgentFile  = "urgent.json" // file below pending: urgent orders that wait for an officer's signature
	lockName    = "lock"        // lock file of the ledger
)

// folder gives access to the files of the agency's folder other than the ledger: roots, releases with their files,
// pending metadata, and list keys.
type folder struct {
	dir       string
	list      string
	firstRoot int64            // version of the oldest root, which is trusted without proof; 0 means 1
	opened    func(trust.File) // called with each release file that is opened; may be nil
}

func (d folder) path(names ...string) string {
	return filepath.Join(append([]string{d.dir}, names...)...)
}

// signedRelease is the metadata of a release, pending or pushed, and its folder.
type signedRelease struct {
	dir      string
	metadata []byte // content of targets.json
	targets  trust.TargetsSpec
}

// readRelease reads the metadata of the release in the folder dir. For a confidential list it needs the list key.
func (d folder) readRelease(dir string) (signedRelease, error) {
	metadata, err := os.ReadFile(filepath.Join(dir, targetsFile))
	if err != nil {
		return signedRelease{dir: dir}, err
	}
	return d.parseRelease(dir, metadata)
}

// parseRelease parses the metadata of a release, and decrypts it if the list is confidential.
func (d folder) parseRelease(dir string, metadata []byte) (r signedRelease, err error) {
	r.dir, r.metadata = dir, metadata
	if r.targets, err = trust.ParseTargets(metadata); err == nil {
		r.targets, err = d.openTargets(r.targets)
	}
	if err != nil {
		err = fmt.Errorf("reading %s: %w", dir, err)
	}
	return r, err
}

func (r signedRelease) serial() uint64 { return r.targets.Newest().Serial }

// releasePath returns the path of the folder of a pushed release. After a crash this can still be the folder of the
// pending release.
func (d folder) releasePath(serial uint64) string {
	own, pending := d.path(releasesDir, fmt.Sprint(serial)), d.path(pendingDir, releaseDir)
	if _, err := os.Stat(own); !errors.Is(err, os.ErrNotExist) {
		return own
	}
	metadata, err := os.ReadFile(filepath.Join(pending, targetsFile))
	if spec, parseErr := trust.ParseTargets(metadata); err != nil || parseErr != nil || uint64(spec.Version) != serial {
		return own
	}
	return pending
}

// openFile opens a release file. It fails unless the file's length and hash are those in the metadata.
func (d folder) openFile(file trust.File) (io.ReadCloser, error) {
	if d.opened != nil {
		d.opened(file)
	}
	r, err := trust.OpenFile(d.path(filesDir, fileName(file)), file)
	if err != nil {
		return nil, d.damaged(err, filesDir, fileName(file))
	}
	return r, nil
}

// lines yields the entries to which a chain of release files leads. The chain begins with a snapshot. An empty chain
// has no entries.
func (d folder) lines(chain []trust.File) iter.Seq2[blocklist.Entry, error] {
	if len(chain) == 0 {
		return func(func(blocklist.Entry, error) bool) {}
	}
	return trust.Entries(chain, d.openFile)
}

// keyPath returns the path of the file with the list key that has this ID.
func (d folder) keyPath(id string) string { return d.path(keysDir, id[:16]+".key") }

// openTargets decrypts the targets of a confidential list with the stored list key that the targets name. It returns
// the targets of another list unchanged.
func (d folder) openTargets(spec trust.TargetsSpec) (trust.TargetsSpec, error) {
	if !spec.Confidential() {
		return spec, nil
	}
	path := d.keyPath(spec.KeyID)
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return spec, fmt.Errorf("opening %s: %w: copy the folder %s from an officer who has it", path, blocklist.ErrNoKey,
			keysDir)
	}
	if err != nil {
		return spec, err
	}
	key, err := trust.ParseListKey(string(text))
	if err != nil {
		return spec, fmt.Errorf("reading %s: %w", path, err)
	}
	return spec.Open(key)
}
