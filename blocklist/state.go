package blocklist

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/argine-dns/argine/blocklist/internal/disk"
)

// state is the stored state of a list. Writing its file commits a change: a set file or journal is ignored unless the
// state file refers to it.
type state struct {
	Header  Header   `json:"header"`
	Source  string   `json:"source,omitempty"`
	Set     string   `json:"set,omitempty"`     // file name of the base set
	Base    Digest   `json:"base"`              // digest of the base set
	Journal int64    `json:"journal,omitempty"` // committed length, in bytes, of the file Set + journalSuffix
	Urgent  []string `json:"urgent,omitempty"`  // entry lines of urgent orders, in addition to the release
	// Metadata is the JSON that the subscription, or [LocalReview] for a local list, stores with the list. Its key in
	// the file is "evidence", for compatibility.
	Metadata json.RawMessage `json:"evidence,omitempty"`

	dir    string
	saved  bool
	list   *list   // the list without canary and urgent orders; nil: not opened yet
	urgent []Entry // Urgent, parsed
}

const (
	stateFile     = "state.json"
	setPrefix     = "set-"
	journalSuffix = ".journal"
	// listDirSuffix is the last part of a list's folder. List names can't have this part, so no list's folder is inside
	// the folder of another list.
	listDirSuffix = "_"
	maxMetadata   = 1 << 20
	maxState      = 2 * maxMetadata
)

// loadState reads the state file in a list's folder. It fails with [ErrDamaged] if the content is not a state of the
// list.
func loadState(dir, list string) (*state, error) {
	path := filepath.Join(dir, stateFile)
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	st := &state{dir: dir, saved: true}
	if err := json.Unmarshal(b, st); err != nil || st.Header.List != list || len(b) > maxState ||
		st.readUrgent() != nil {
		return nil, fmt.Errorf("reading %s: it is %w, so the list is fetched or read again", path, ErrDamaged)
	}
	return st, nil
}

// readUrgent parses the entries of urgent orders in the state file.
func (st *state) readUrgent() error {
	for _, line := range st.Urgent {
		e, err := ParseEntry(line)
		if err != nil {
			return fmt.Errorf("urgent orders: %w", err)
		}
		st.urgent = append(st.urgent, e)
	}
	return nil
}

// save writes the state file, which commits the change.
func (st *state) save() error {
	if len(st.Metadata) > maxMetadata {
		return fmt.Errorf("keeping the metadata of %s: %w", st.Header.List, ErrTooLarge)
	}
	b, err := json.MarshalIndent(st, "", " ")
	if err != nil {
		return fmt.Errorf("writing the state of %s: %w", st.Header.List, err)
	}
	if err := disk.WriteFile(filepath.Join(st.dir, stateFile), b, 0o600); err != nil {
		return fmt.Errorf("writing the state of %s: %w", st.Header.List, err)
	}
	st.saved = true
	return nil
}

func (st *state) info() ListInfo {
	info := ListInfo{Header: st.Header, Source: st.Source, Urgent: len(st.urgent)}
	if st.list != nil {
		info.Err = st.list.info.Err
	}
	return info
}

// compile writes a set to a file with a new name. The file is ignored until save commits it.
func (st *state) compile(c setContent) error {
	f, err := os.CreateTemp(st.dir, setPrefix+"*")
	if err != nil {
		return err
	}
	c.list = st.Header.List
	if err = errors.Join(f.Close(), writeSet(f.Name(), 0o600, c)); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	st.Set, st.Base, st.Journal = filepath.Base(f.Name()), st.Header.Digest, 0
	return nil
}

// open maps the set and replays the journal. A damaged list is not served, and has an error.
func (st *state) open(sec *secret) *list {
	st.list = &list{info: ListInfo{Header: st.Header, Source: st.Source}}
	if st.Set == "" {
		return st.list // there is only metadata
	}
	base, err := openSet(filepath.Join(st.dir, filepath.Base(st.Set)), sec)
	if err != nil {
		st.list.info.Err = fmt.Errorf("%s: %w", st.Header.List, err)
		return st.list
	}
	changes, err := st.replay()
	if err != nil {
		st.list.info.Err = fmt.Errorf("%s: %w", st.Header.List, err)
		return st.list
	}
	st.list.base = base
	st.list.overlay = st.list.overlay.with(base, changes)
	return st.list
}

// sweep removes files that the state no longer names. It ignores failures, since the next call tries again.
func (st *state) sweep() {
	files, _ := filepath.Glob(filepath.Join(st.dir, setPrefix+"*"))
	temps, _ := filepath.Glob(filepath.Join(st.dir, disk.TempPrefix+"*"))
	for _, path := range append(files, temps...) {
		if !strings.HasPrefix(filepath.Base(path), st.Set) {
			os.Remove(path) //nolint:errcheck // see above
		}
	}
}

// journal appends lines after the committed part of the journal and syncs the file. The lines are ignored until save
// commits the new length.
func (st *state) journal(lines []byte) error {
	f, err := os.OpenFile(st.journalPath(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("writing the journal of %s: %w", st.Header.List, err)
	}
	defer f.Close() //nolint:errcheck // Sync returns the write errors
	_, err = f.WriteAt(lines, st.Journal)
	if err = errors.Join(err, f.Sync()); err != nil {
		return fmt.Errorf("writing the journal of %s: %w", st.Header.List, err)
	}
	began := st.Journal == 0
	if st.Journal += int64(len(lines)); began {
		return disk.SyncDir(st.dir)
	}
	return nil
}

func (st *state) journalPath() string { return filepath.Join(st.dir, st.Set+journalSuffix) }

// replay reads the committed changes. Base set and changes together must have the digest of the state.
func (st *state) replay() ([]Change, error) {
	if st.Journal == 0 {
		return nil, nil
	}
	b, err := os.ReadFile(st.journalPath())
	if err != nil || int64(len(b)) < st.Journal {
		return nil, fmt.Errorf("reading the journal: %w: it is cut short", ErrDamaged)
	}
	var changes []Change
	sum := st.Base
	for line := range bytes.Lines(b[:st.Journal]) {
		e, err := ParseEntry(string(line[1:]))
		if err != nil {
			return nil, fmt.Errorf("reading the journal: %w: %w", ErrDamaged, err)
		}
		c := Change{Removed: line[0] == '-', Entry: e}
		sum.count(c.Removed, bytes.TrimSuffix(line[1:], []byte("\n")))
		changes = append(changes, c)
	}
	if sum != st.Header.Digest {
		return nil, fmt.Errorf("reading the journal: %w: %w", ErrDamaged, ErrDigest)
	}
	return changes, nil
}
