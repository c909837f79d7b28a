package blocklist

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"iter"
)

// Set is one list in one file, for programs without a store: one that embeds its list, or runs in a browser. [BuildSet]
// makes the file, which must not change. To replace it, rename another file over it and open that. A set is safe for
// concurrent use. It needs no closing: the garbage collector releases the file with the last reference.
type Set struct {
	lookups
}

// BuildSet compiles entries into a file for [OpenSet], in one step: path is the old file or the new one. They may
// come in any order; of entries with the same target the stronger stays. It fails with [ErrMalformed] for a nil
// iterator, and for an entry that no constructor made. The file has about 20 bytes an entry, 32 KB at least.
//
// The same entries, in the same order, under the same name of the list give the same bytes on every machine: builds
// that embed the file are reproducible. For that its salt is made from the name, where a [Store] has a random one.
// That costs something: one who knows the name of the list and its entries can work out names that pass the Bloom
// filter though they are not listed, each of which costs one hash more (answers stay exact), and can compare digests
// between files of that list. The file holds digests rather than names; with any salt that hides nothing from those
// who can guess a name.
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

// listSalt returns the salt of all sets of a list that are made for other machines.
func listSalt(list string) [saltSize]byte {
	sum := sha256.Sum256([]byte("argine-set-salt " + list))
	return [saltSize]byte(sum[:])
}

// OpenSet checks a file that [BuildSet] made, in one pass over it, and maps it; where the system can't map files it
// is read. A file that was cut or changed by accident is refused: [ErrDamaged], and as well [ErrMalformed] if it does
// not begin like one; one beyond what a 32-bit program can address with [ErrTooLarge]. It is not signed: take it only
// from where the program itself comes from, and follow a list of others by package subscribe.
func OpenSet(path string) (*Set, error) {
	base, err := openSet(path, nil)
	return portableSet(base, path, err)
}

// OpenSetBytes is [OpenSet] for the content of such a file, as go:embed gives it. The set reads data as long as it is
// in use: never change it.
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

// portableSet makes the one list of a set known to lookups, unless opening it from a place failed.
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

// Info says which list it is, and how many entries it has.
func (s *Set) Info() ListInfo { return s.view.Load().lists[0].info }
