package blocklist

import (
	"runtime"
	"time"
)

// CountURLs returns the number of url entries of a list that block. Expired ones are not counted. Repeated entries of a
// local list are counted twice. If there are url entries, it reads the whole list once.
func (s *lookups) CountURLs(list string) (n uint64) {
	l := s.view.Load().list(list)
	if l == nil || l.features().URLs == 0 {
		return 0
	}
	now := time.Now().Unix()
	count := func(a *matchInfo) {
		for _, e := range urlCountOf(a) {
			if e.at > now {
				n += e.n
			}
		}
	}
	for row := range uint32(l.base.header.Rows) {
		a := &l.base.infos[min(int(l.base.infoNumber(row)), len(l.base.infos)-1)]
		if a.category == urlHostCategory && !l.overlay.contains(l.base.row(row)) {
			count(a)
		}
	}
	runtime.KeepAlive(l.base)
	l.overlay.each(func(a *matchInfo) {
		if a.category == urlHostCategory {
			count(a)
		}
	})
	return n
}

// HasURLs reports whether a list has blocking url entries for a host in lower-case wire form, or for a *. host that
// includes it. Expired entries do not count. It does not allocate.
//
// Whether a request is blocked depends on its URL: see LookupURL.
func (s *lookups) HasURLs(list string, name []byte) bool {
	v := s.view.Load()
	l := v.list(list)
	if l == nil || l.features().URLs == 0 {
		return false
	}
	var w suffixes
	w.walk(v.secret, name)
	has := func(below bool, i int, hash uint64) bool {
		if hash = v.secret.scoped(hash, ScopeURL); !l.mayContain(hash) {
			return false
		}
		var buf [1 + MaxName]byte
		_, ok := l.find(scopeURLHost, append(appendBelow(buf[:0], below), name[w.at[i]:]...), hash)
		return ok
	}
	for i := range w.n {
		if has(true, i, v.secret.belowHash(w.hash[i])) {
			return true
		}
	}
	return w.n > 0 && has(false, 0, w.hash[0])
}
