package blocklist

import (
	"maps"
	"slices"
)

// overlay has the changes since the base set was written. It is immutable: each delta makes a new overlay.
type overlay struct {
	hashes   map[uint64]struct{} // filter hashes of all changed entries
	changes  map[tableKey]overlayEntry
	infos    []matchInfo
	features features
}

type overlayEntry struct {
	removed bool
	info    uint32
}

// with returns a new overlay, which has the given changes in addition to those of the receiver. The receiver may be
// nil, for an empty overlay.
func (o *overlay) with(base *set, changes []Change) *overlay {
	if len(changes) == 0 {
		return o
	}
	next := o.clone()
	var w suffixes
	for i := range changes {
		next.add(base, &w, &changes[i])
	}
	return next
}

// clone returns a copy to which changes can be added before it is used. The receiver may be nil, for an empty overlay.
func (o *overlay) clone() *overlay {
	if o == nil {
		return &overlay{hashes: map[uint64]struct{}{}, changes: map[tableKey]overlayEntry{}}
	}
	return &overlay{
		hashes: maps.Clone(o.hashes), changes: maps.Clone(o.changes), infos: slices.Clip(o.infos),
		features: o.features,
	}
}

// add adds the change c to the overlay. The argument base is the base set.
func (o *overlay) add(base *set, w *suffixes, c *Change) {
	s := base.secret
	o.features.add(&c.Entry)
	hash, host := s.filterHash(w, &c.Entry)
	o.hashes[hash] = struct{}{}
	if host != 0 {
		o.hashes[host] = struct{}{}
	}
	o.put(s.tableKey(c.Entry.Scope, []byte(c.Entry.key)), matchInfoOf(&c.Entry.Attributes), c.Removed)
	if c.Entry.Scope == ScopeURL {
		o.countURL(base, *c, host)
	}
}

func (o *overlay) put(key tableKey, info matchInfo, removed bool) {
	o.infos = append(o.infos, info)
	o.changes[key] = overlayEntry{removed: removed, info: uint32(len(o.infos) - 1)}
}

// countURL updates the row that counts the url entries of a host, after a change of one of them.
func (o *overlay) countURL(base *set, c Change, hash uint64) {
	var buf [1 + MaxName]byte
	key := appendURLHost(buf[:0], c.Entry.key)
	if c.Entry.Monitor {
		return
	}
	a, decided := o.find(base.secret, scopeURLHost, key, hash)
	if !decided { // for addresses, the filter has the hash of another row
		a = base.at(base.secret.tableKey(scopeURLHost, key))
	}
	n := urlCountOf(a).count(matchInfoOf(&c.Entry.Attributes).expires, c.Removed)
	o.put(base.secret.tableKey(scopeURLHost, key), n.info(), len(n) == 0)
}

// contains reports whether a row of the base set was changed or removed.
func (o *overlay) contains(k tableKey) bool {
	if o == nil {
		return false
	}
	_, ok := o.changes[k]
	return ok
}

// each calls do with the attributes of each row of the overlay.
func (o *overlay) each(do func(*matchInfo)) {
	if o == nil {
		return
	}
	for _, e := range o.changes {
		if !e.removed {
			do(&o.infos[e.info])
		}
	}
}

func (o *overlay) size() int {
	if o == nil {
		return 0
	}
	return len(o.changes)
}

// find looks up an entry in the overlay. It returns false if the overlay has no change of the entry, so that the base
// decides. If the entry was removed, the attributes are nil.
func (o *overlay) find(s *secret, scope Scope, key []byte, hash uint64) (a *matchInfo, decided bool) {
	if o == nil {
		return nil, false
	}
	if _, ok := o.hashes[hash]; !ok {
		return nil, false
	}
	c, ok := o.changes[s.tableKey(scope, key)]
	if !ok || c.removed {
		return nil, ok
	}
	return &o.infos[c.info], true
}
