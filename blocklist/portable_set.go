package blocklist

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"iter"
)

// Set is one list in one file, for programs without a store, such as programs that embed their list or run in a
// browser. [BuildSet] makes the file. The file must not change while it is open. To replace it, rename a new file over
// it and open that one. A set is safe for concurrent use. It needs no Close: the garbage collector releases the file
// with the last reference.
type Set struct {
	lookups
}

// BuildSet compiles entries into a file for [OpenSet]. It replaces the file atomically. The entries may have any order.
// If several have the same target, it uses the same one as [Store.SetLocal]. BuildSet fails with [ErrMalformed] for a
// nil iterator and for an invalid entry. The file has about 20 bytes an entry, and at least 32 KB.
//
// The file is reproducible: the same entries in the same order, under the same list name, give the same bytes on every
// machine. For this, its salt is derived from the list name, while a [Store] has a random salt. Consequences: an
// attacker who knows the list name and the entries can find unlisted names that pass the Bloom filter, each of which
// costs one more hash (answers stay exact); and digests of several files of one list can be compared. The file has
// digests instead of names. No salt hides a name from someone who can guess it.
func BuildSet(path, list string, entries iter.Seq2[Entry, error]) error {
	if err := CheckListName(list); err != nil {
		return fmt.Errorf("compiling %s: %w", path, err)
	}
	b := newBuilder(newSecret(listSalt(list)))
	defer b.close()
	if err := b.addAll(entries); err != nil {
		return fmt.Errorf("compiling %s: %w", path, err)
	}
	content := b.content()
	content.list = list
	if err := writeSet(path, 0o644, content); err != nil {
		return fmt.Errorf("compiling %s: %w", path, err)
	}
	return nil
}

// listSalt returns the salt of all portable sets of a list.
func listSalt(list string) [saltSize]byte {
	sum := sha256.Sum256([]byte("argine-set-salt " + list))
	return [saltSize]byte(sum[:])
}

// OpenSet checks a file of [BuildSet] in one pass, and maps it into memory, or reads it if the system has no mappings.
// It fails with [ErrDamaged] if the file was truncated or changed by accident. The error also wraps [ErrMalformed] if
// the file does not begin like a set. OpenSet fails with [ErrTooLarge] if the address space of a 32-bit program is too
// small. The file is not signed: take it from the same source as the program. For lists that other people publish, use
// package subscribe.
func OpenSet(path string) (*Set, error) {
	base, err := openSet(path, nil)
	return portableSet(base, path, err)
}

// OpenSetBytes is [OpenSet] for the content of a file, for example from go:embed. The set keeps a reference to data,
// which must not change.
func OpenSetBytes(data []byte) (*Set, error) {
	base, err := openSetBytes(data)
	return portableSet(base, "a set in memory", err)
}

// OpenSetFS is [OpenSet] for a file of fsys, which is read into memory.
func OpenSetFS(fsys fs.FS, name string) (*Set, error) {
	data, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("opening the set: %w", err)
	}
	base, err := openSetBytes(data)
	return portableSet(base, name, err)
}

// portableSet returns a Set with one list, or the error from opening it.
func portableSet(base *set, from string, err error) (*Set, error) {
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	h := &base.header
	name := string(bytes.TrimRight(h.List[:], "\x00"))
	if err := CheckListName(name); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", from, ErrDamaged, err)
	}
	s := &Set{}
	info := ListInfo{Header: Header{List: name, Entries: h.Rows - h.Hosts}}
	lists := []*list{{info: info, base: base}}
	s.view.Store(&view{secret: base.secret, lists: lists, version: version(lists)})
	return s, nil
}

// Info returns the name of the list and its number of entries.
func (s *Set) Info() ListInfo { return s.view.Load().lists[0].info }
