package blocklist

// ListInfo describes a list in a store.
type ListInfo struct {
	Header        // for a local list, Serial is 0 and Created is the time of SetLocal
	Source string // the source given to SetLocal; empty for a signed list
	Urgent int    // number of urgent orders in addition to the release; Header does not count them
	Err    error  // why the list is not served; wraps ErrDamaged; nil if it is served
}

// list is the current state of a list: a base set, and the changes since that set was written.
type list struct {
	info    ListInfo
	base    *set // nil: the list is not served
	overlay *overlay
	urgent  Digest // digest of the urgent orders in the overlay
	canary  canary
}

// find returns the attributes of an entry, and false if the entry is not listed or has expired.
func (l *list) find(scope Scope, key []byte, hash uint64) (*matchInfo, bool) {
	a, decided := l.overlay.find(l.base.secret, scope, key, hash)
	if !decided {
		a = l.base.find(scope, key, hash)
	}
	return a, a != nil && !a.expired()
}

// mayContain reports whether an entry with this hash may be listed. If it returns false, none is listed. If it returns
// true, list.find has to look.
func (l *list) mayContain(hash uint64) bool {
	if l.overlay != nil {
		if _, ok := l.overlay.hashes[hash]; ok {
			return true
		}
	}
	return l.base.filter.mayContain(hash)
}

// features returns the features of base and overlay.
func (l *list) features() features {
	if l.overlay == nil {
		return l.base.header.Features
	}
	return l.base.header.Features.union(l.overlay.features)
}
