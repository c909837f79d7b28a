package blocklist

// ListInfo says what the store holds of a list.
type ListInfo struct {
	Header        // of a local list Serial is 0, and Created when it was set
	Source string // of a local list: what SetLocal was told
	Urgent int    // entries of urgent orders on top of the release; they are not counted in Header
	Err    error  // why the list is not served, nil if it is; wraps ErrDamaged
}

// list is one list in force: a base set and what changed since.
type list struct {
	info    ListInfo
	base    *set // nil where the list is not served
	overlay *overlay
	urgent  Digest // of the urgent orders in the overlay
	canary  canary
}

// find returns the attributes of an entry that is listed and has not expired.
func (l *list) find(scope Scope, key []byte, hash uint64) (*matchInfo, bool) {
	a, decided := l.overlay.find(l.base.secret, scope, key, hash)
	if !decided {
		a = l.base.find(scope, key, hash)
	}
	return a, a != nil && !a.expired()
}

// mayContain reports whether an entry with that hash may be listed, or have been.
func (l *list) mayContain(hash uint64) bool {
	if l.overlay != nil {
		if _, ok := l.overlay.hashes[hash]; ok {
			return true
		}
	}
	return l.base.filter.mayContain(hash)
}

// features returns those of the base and of the overlay.
func (l *list) features() features {
	if l.overlay == nil {
		return l.base.header.Features
	}
	return l.base.header.Features.union(l.overlay.features)
}
