package blocklist

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/argine-dns/argine/blocklist/internal/disk"
)

// Options are the options of a store. The zero value opens it for reading and writing.
type Options struct {
	// ReadOnly opens the store for reading, also while another process owns it. It writes nothing, takes no lock, and
	// needs no Close. Later changes by the owner are not visible.
	ReadOnly bool
}

// Store keeps several lists on disk. Lookups are lock-free and never wait for changes.
type Store struct {
	lookups
	dir  string
	lock io.Closer // nil: read-only

	local  sync.Mutex // allows one SetLocal at a time
	mu     sync.Mutex // allows one change at a time
	states map[string]*state
	closed bool

	watch   sync.Mutex // protects changed
	changed chan struct{}
}

// Open opens the store in dir, and creates it if necessary. It fails with [ErrBusy] if the store has another owner. A
// list with damaged files is not served: Lists returns its error, and the next Apply or SetLocal replaces it.
func Open(dir string, o Options) (*Store, error) {
	s := &Store{dir: dir, states: map[string]*state{}, changed: make(chan struct{})}
	if err := s.own(o); err != nil {
		return nil, fmt.Errorf("opening the store %s: %w", dir, err)
	}
	err := s.load()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the store %s: %w", dir, err), s.Close())
	}
	return s, nil
}

// own creates the folders of the store and takes its lock. For a read-only store, it only checks that the folder
// exists.
func (s *Store) own(o Options) (err error) {
	if o.ReadOnly {
		_, err = os.Stat(s.dir)
		return err
	}
	if err = os.MkdirAll(filepath.Join(s.dir, "lists"), 0o700); err != nil {
		return err
	}
	s.lock, err = disk.Lock(filepath.Join(s.dir, "lock"))
	return err
}

// load reads the salt and the lists.
func (s *Store) load() error {
	sec, err := s.loadSecret()
	if err != nil {
		return err
	}
	s.view.Store(&view{secret: sec, version: version(nil)})
	root := filepath.Join(s.dir, "lists")
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != stateFile {
			return err
		}
		st, err := s.loadState(filepath.Dir(path), sec)
		if err != nil {
			return err
		}
		s.states[st.Header.List] = st
		s.publish(st.inForce(sec))
		if s.lock != nil {
			st.sweep()
		}
		return nil
	})
}

// loadState reads the state of the list in a folder, and opens its set. If the state file is damaged, the list is not
// served, as with a damaged set, so that one file does not keep a whole resolver from starting.
func (s *Store) loadState(dir string, sec *secret) (*state, error) {
	header := Header{List: s.listIn(dir)}
	st, err := loadState(dir, header.List)
	switch {
	case err == nil:
		st.open(sec)
	case errors.Is(err, ErrDamaged):
		st = &state{dir: dir, Header: header, list: &list{info: ListInfo{Header: header, Err: err}}}
	default:
		return nil, err
	}
	return st, nil
}

func (s *Store) loadSecret() (*secret, error) {
	var salt [saltSize]byte
	path := filepath.Join(s.dir, "salt")
	b, err := os.ReadFile(path)
	switch {
	case err == nil && len(b) == saltSize:
		return newSecret([saltSize]byte(b)), nil
	case err == nil || errors.Is(err, fs.ErrNotExist): // without its salt, a set is unreadable: start with an empty store
		salt = newSalt()
		if s.lock != nil {
			err = disk.WriteFile(path, salt[:], 0o600)
		} else {
			err = nil
		}
	}
	return newSecret(salt), err
}

// publish replaces a list in the view that lookups use, which is sorted by name. It removes a list that is not
// served.
func (s *Store) publish(l *list) {
	old := s.view.Load()
	next := &view{secret: old.secret}
	for _, have := range old.lists {
		if have.info.List != l.info.List {
			next.lists = append(next.lists, have)
		}
	}
	if l.base != nil {
		next.lists = append(next.lists, l)
	}
	slices.SortFunc(next.lists, func(a, b *list) int { return strings.Compare(a.info.List, b.info.List) })
	next.version = version(next.lists)
	s.view.Store(next)
	s.watch.Lock()
	defer s.watch.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}

// Changed returns a channel that is closed when lookups see the next change of a list: a release, urgent orders, a
// local list that was set or dropped. Get the channel before looking at the lists, so that no change is missed.
func (s *Store) Changed() <-chan struct{} {
	s.watch.Lock()
	defer s.watch.Unlock()
	return s.changed
}

// Urgent returns the entries of urgent orders in addition to the release of a signed list, each with its expiry. Some
// may have expired.
func (s *Store) Urgent(list string) []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st, ok := s.states[list]; ok {
		return slices.Clone(st.urgent)
	}
	return nil
}

// Close closes the store. Afterwards, lookups find nothing, and changes fail with [ErrClosed].
func (s *Store) Close() error {
	err := s.Release()
	if v := s.view.Load(); v != nil {
		s.view.Store(&view{secret: v.secret, version: version(nil)})
	}
	return err
}

// Release releases the lock, so that another process can own the store. Lookups go on with the current state until
// Close. Changes fail with [ErrClosed].
func (s *Store) Release() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.lock == nil {
		return nil
	}
	return s.lock.Close()
}

// Lists returns information about all lists, sorted by name.
func (s *Store) Lists() []ListInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []ListInfo
	for _, st := range s.states {
		all = append(all, st.info())
	}
	slices.SortFunc(all, func(a, b ListInfo) int { return strings.Compare(a.List, b.List) })
	return all
}

// List returns information about a list. It returns false if the store does not have it.
func (s *Store) List(name string) (ListInfo, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, ok := s.states[name]
	if !ok {
		return ListInfo{}, false
	}
	return st.info(), true
}

// Metadata returns the metadata that [LocalReview] or the subscription stored with a list, or nil.
func (s *Store) Metadata(list string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st, ok := s.states[list]; ok {
		return slices.Clone(st.Metadata)
	}
	return nil
}

// Drop removes a list and its files.
func (s *Store) Drop(name string) error {
	return s.change(name, func(st *state) error {
		s.publish(&list{info: ListInfo{Header: Header{List: name}}})
		delete(s.states, name)
		return os.RemoveAll(st.dir)
	})
}

// listDir returns the folder of a list. It creates the folder if necessary.
func (s *Store) listDir(list string) (string, error) {
	if err := CheckListName(list); err != nil {
		return "", err
	}
	dir := filepath.Join(s.dir, "lists", filepath.FromSlash(list), listDirSuffix)
	return dir, os.MkdirAll(dir, 0o700)
}

// listIn returns the name of the list whose folder is dir.
func (s *Store) listIn(dir string) string {
	path, _ := filepath.Rel(filepath.Join(s.dir, "lists"), filepath.Dir(dir))
	return filepath.ToSlash(path)
}

// change calls do with the state of a list, under the lock mu. For a new list, the state is empty.
func (s *Store) change(list string, do func(*state) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return fmt.Errorf("changing %s: the store is %w", list, ErrClosed)
	case s.lock == nil:
		return fmt.Errorf("changing %s: the store was %w", list, ErrReadOnly)
	}
	st, ok := s.states[list]
	if !ok {
		dir, err := s.listDir(list)
		if err != nil {
			return err
		}
		st = &state{dir: dir, Header: Header{List: list}}
		defer func() {
			if st.saved {
				s.states[list] = st
			}
		}()
	}
	return do(st)
}

// put saves a new state on disk, replaces st with that state, and publishes it to lookups.
func (s *Store) put(st *state, next state) error {
	if err := next.save(); err != nil {
		return err
	}
	rebuilt := next.Set != st.Set
	*st = next
	s.publish(st.inForce(s.view.Load().secret))
	if rebuilt {
		st.sweep()
	}
	return nil
}
