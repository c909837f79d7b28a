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

// Options of a store. The zero value opens it for its one owner.
type Options struct {
	// ReadOnly opens what is there beside the process that owns the store: nothing is locked or written, and nothing needs
	// to be closed. What the owner changes later is not seen.
	ReadOnly bool
}

// Store holds the durable sets of several lists. Lookups are lock-free and never wait for changes.
type Store struct {
	lookups
	dir  string
	lock io.Closer // nil if read-only

	local  sync.Mutex // of SetLocal: one compilation at a time
	mu     sync.Mutex // serialises changes
	states map[string]*state
	closed bool
}

// Open opens the store in dir, which is made if it is not there. Nothing else may own it: [ErrBusy]. Lists whose files
// are damaged are not served; Lists says so, and the next Apply replaces them.
func Open(dir string, o Options) (*Store, error) {
	s := &Store{dir: dir, states: map[string]*state{}}
	if err := s.own(o); err != nil {
		return nil, fmt.Errorf("opening the store %s: %w", dir, err)
	}
	err := s.load()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the store %s: %w", dir, err), s.Close())
	}
	return s, nil
}

// own makes the folders and takes the lock.
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
		st, err := loadState(filepath.Dir(path))
		if err != nil {
			return err
		}
		s.states[st.Header.List] = st
		st.open(sec)
		s.publish(st.inForce(sec))
		if s.lock != nil {
			st.sweep()
		}
		return nil
	})
}

func (s *Store) loadSecret() (*secret, error) {
	var salt [saltSize]byte
	path := filepath.Join(s.dir, "salt")
	b, err := os.ReadFile(path)
	switch {
	case err == nil && len(b) == saltSize:
		return newSecret([saltSize]byte(b)), nil
	case err == nil || errors.Is(err, fs.ErrNotExist): // without its salt no set can be read: start again
		salt = newSalt()
		if s.lock != nil {
			err = disk.WriteFile(path, salt[:], 0o600)
		} else {
			err = nil
		}
	}
	return newSecret(salt), err
}

// publish swaps a list into the view that lookups see, in order of names; a list that is not served is left out of it.
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
}

// Close ends the store. Lookups then find nothing, and changes fail with [ErrClosed].
func (s *Store) Close() error {
	err := s.Release()
	if v := s.view.Load(); v != nil {
		s.view.Store(&view{secret: v.secret, version: version(nil)})
	}
	return err
}

// Release gives the folder up to another owner. Lookups go on with what is in force, until Close; changes fail with
// [ErrClosed].
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

// Lists returns what the store holds, by name.
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

// List returns what the store holds of one list, and false if it holds nothing of it.
func (s *Store) List(name string) (ListInfo, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, ok := s.states[name]
	if !ok {
		return ListInfo{}, false
	}
	return st.info(), true
}

// Metadata returns what was last kept with a list: by [LocalReview], or by its subscription. Nil if nothing.
func (s *Store) Metadata(list string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st, ok := s.states[list]; ok {
		return slices.Clone(st.Metadata)
	}
	return nil
}

// Drop forgets a list and removes its files.
func (s *Store) Drop(name string) error {
	return s.change(name, func(st *state) error {
		s.publish(&list{info: ListInfo{Header: Header{List: name}}})
		delete(s.states, name)
		return os.RemoveAll(st.dir)
	})
}

// listDir returns the folder of a list, made if it is not there.
func (s *Store) listDir(list string) (string, error) {
	if err := CheckListName(list); err != nil {
		return "", err
	}
	dir := filepath.Join(s.dir, "lists", filepath.FromSlash(list), listDirSuffix)
	return dir, os.MkdirAll(dir, 0o700)
}

// change runs do under the lock with the state of a list, a fresh one if there is none.
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

// put makes a state durable and puts it in force.
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
