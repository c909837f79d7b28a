package origin

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// keepReleases is the number of releases whose files are kept, so that subscribers can finish downloads of older
// releases.
const keepReleases = 8

// errUnknown is wrapped by errors about a list for which the origin has no root.
var errUnknown = fmt.Errorf("%w: this origin takes no pushes for it; its operator can run 'blocklist origin trust'", blocklist.ErrUntrusted)

// state is the published state of a list: the documents and files that timestamp.json leads to. Other files in the
// folder are ignored.
type state struct {
	list      string
	dir       trust.Folder
	root      *trust.Root
	timestamp *trust.Timestamp // version 0 before the first release
	snapshot  *trust.Snapshot
	targets   *trust.TargetsSpec // nil before the first release
	urgent    orders
}

// orders is the newest document of urgent orders, whether they are in force or not. It is empty if there never was
// one.
type orders struct {
	doc     []byte
	version int64
}

func (o *Origin) listDir(list string) string {
	return filepath.Join(o.dir, listsDir, filepath.FromSlash(list))
}

// lists returns the names of the lists that this origin trusts.
func (o *Origin) lists() (all []string, err error) {
	root := filepath.Join(o.dir, listsDir)
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".root.json") {
			return err
		}
		rel, err := filepath.Rel(root, filepath.Dir(path))
		all = append(all, filepath.ToSlash(rel))
		return err
	})
	slices.Sort(all)
	return slices.Compact(all), err
}

// newState returns the state of a list without any documents.
func (o *Origin) newState(list string) *state {
	return &state{
		list: list, dir: trust.Folder(o.listDir(list)), timestamp: &trust.Timestamp{},
		snapshot: &trust.Snapshot{},
	}
}

// load reads the published state of a list from disk.
func (o *Origin) load(list string) (*state, error) {
	st := o.newState(list)
	if err := st.readChain(); err != nil {
		return nil, fmt.Errorf("reading %s: %w", list, err)
	}
	roots := st.dir.Versions("root")
	if len(roots) == 0 {
		return nil, fmt.Errorf("list %s: %w", list, errUnknown)
	}
	version := roots[len(roots)-1]
	if st.timestamp.Root > 0 {
		version = st.timestamp.Root
	}
	b, err := os.ReadFile(st.dir.Path(trust.RootName(version)))
	if err == nil {
		st.root, err = o.verified.root(list, b)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", list, err)
	}
	return st, nil
}

// readChain reads timestamp, snapshot and targets. It does not verify signatures, because the origin verified and wrote
// these files itself.
func (st *state) readChain() error {
	b, err := os.ReadFile(st.dir.Path(trust.TimestampName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if st.timestamp, err = trust.ParseTimestamp(b); err != nil {
		return err
	}
	if b, err = os.ReadFile(st.dir.Path(trust.SnapshotName(st.timestamp.Snapshot.Version))); err != nil {
		return err
	}
	if st.snapshot, err = trust.ParseSnapshot(b); err != nil {
		return err
	}
	if st.snapshot.Urgent != nil {
		st.urgent.version = st.snapshot.Urgent.Version
		if st.urgent.doc, err = os.ReadFile(st.dir.Path(trust.UrgentName(st.urgent.version))); err != nil {
			return err
		}
	}
	if b, err = os.ReadFile(st.dir.Path(trust.TargetsName(st.snapshot.Targets.Version))); err != nil {
		return err
	}
	targets, err := trust.ParseTargets(b)
	st.targets = &targets
	return err
}

// files returns the files of the published release that are in the folder, by path. Their content was verified when it
// was received.
func (st *state) files() map[string]trust.File {
	here := map[string]trust.File{}
	if st.targets == nil {
		return here
	}
	for _, f := range st.targets.All() {
		if st.dir.Has(f) {
			here[f.Path] = f
		}
	}
	return here
}
