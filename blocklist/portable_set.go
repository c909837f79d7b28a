package blocklist

import (
	"bytes"
	"fmt"
	"iter"
)

// Set is one list in one file, opened to be asked: for a browser, or a program that brings its list along and has no store.
// The file was made by [BuildSet] and never changes; to exchange it, rename another one over it and open that. A set is
// safe for concurrent use. It needs no closing: the file is released with the last reference.
type Set struct {
	lookups
}

// BuildSet compiles entries into a file for [OpenSet], in one step: path is the old file or the new one. They may come in
// any order; of entries with the same target the stronger stays. An entry that no constructor made is refused: [ErrMalformed]. The file has about 20 bytes an entry, 32 KB at least. It
// holds digests rather than names, which hides nothing from those who can guess a name.
func BuildSet(path, list string, entries iter.Seq2[Entry, error]) error {
	if err := CheckListName(list); err != nil {
		return fmt.Errorf("compiling %s: %w", path, err)
	}
	b := newBuilder(newSecret(newSalt()))
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

// OpenSet checks a file that [BuildSet] made, in one pass over it, and maps it. A file that was cut or changed by accident
// is refused: [ErrDamaged], and as well [ErrMalformed] if it does not begin like one. It is not signed: take it only from where the program itself comes from, and follow a list of
// others by package subscribe.
func OpenSet(path string) (*Set, error) {
	base, err := openSet(path, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	h := &base.header
	name := string(bytes.TrimRight(h.List[:], "\x00"))
	if err := CheckListName(name); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", path, ErrDamaged, err)
	}
	s := &Set{}
	info := ListInfo{Header: Header{List: name, Entries: h.Rows - h.Hosts}}
	lists := []*list{{info: info, base: base}}
	s.view.Store(&view{secret: base.secret, lists: lists, version: version(lists)})
	return s, nil
}

// Info says which list it is, and how many entries it has.
func (s *Set) Info() ListInfo { return s.view.Load().lists[0].info }
