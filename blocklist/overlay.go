package blocklist

import (
	"maps"
	"slices"
)

// overlay is what changed since the base set was written. It is immutable: each delta makes a new one.
type overlay struct {
	maybe   map[uint64]struct{} // filter hashes of all that changed
	changes map[tableKey]overlayEntry
	attrs   []attrs
	kinds   kinds
}

type overlayEntry struct {
	removed bool
	attrs   uint32
}

// with returns an overlay, over base, with more changes; a nil overlay is an empty one.
func (o *overlay) with(base *set, changes []Change) *overlay {
	if len(changes) == 0 {
		return o
	}
	next := &overlay{maybe: map[uint64]struct{}{}, changes: map[tableKey]overlayEntry{}}
	if o != nil {
		next = &overlay{maybe: maps.Clone(o.maybe), changes: maps.Clone(o.changes), attrs: slices.Clip(o.attrs), kinds: o.kinds}
	}
	s := base.secret
	var w suffixes
	for _, c := range changes {
		next.kinds.add(&c.Entry)
		hash, host := s.filterHash(&w, &c.Entry)
		next.maybe[hash] = struct{}{}
		if host != 0 {
			next.maybe[host] = struct{}{}
		}
		next.put(s.tableKey(c.Entry.Scope, []byte(c.Entry.key)), attrsOf(&c.Entry.Attributes), c.Removed)
		if c.Entry.Scope == ScopeURL {
			next.countURL(base, c, host)
		}
	}
	return next
}

func (o *overlay) put(key tableKey, a attrs, removed bool) {
	o.attrs = append(o.attrs, a)
	o.changes[key] = overlayEntry{removed: removed, attrs: uint32(len(o.attrs) - 1)}
}

// replaces reports whether a row of the base set counts no more.
func (o *overlay) replaces(k tableKey) bool {
	if o == nil {
		return false
	}
	_, ok := o.changes[k]
	return ok
}

// each calls do with the attributes of each row of the overlay.
func (o *overlay) each(do func(*attrs)) {
	if o == nil {
		return
	}
	for _, e := range o.changes {
		if !e.removed {
			do(&o.attrs[e.attrs])
		}
	}
}

func (o *overlay) size() int {
	if o == nil {
		return 0
	}
	return len(o.changes)
}

// find returns whether the overlay decides about an entry, and how: nil attributes for one that was removed.
func (o *overlay) find(s *secret, scope Scope, key []byte, hash uint64) (a *attrs, decided bool) {
	if o == nil {
		return nil, false
	}
	if _, ok := o.maybe[hash]; !ok {
		return nil, false
	}
	c, ok := o.changes[s.tableKey(scope, key)]
	if !ok || c.removed {
		return nil, ok
	}
	return &o.attrs[c.attrs], true
}
