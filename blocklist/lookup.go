package blocklist

import "time"

// Match says which list holds a name, by which entry, and why.
type Match struct {
	List      string
	Scope     Scope
	Category  string
	Reference string
	Expires   time.Time // zero: never
	Monitor   bool      // report, do not block

	key []byte
}

// Entry returns the target of the entry that matched, as it stands in the list.
func (m Match) Entry() string { return Entry{Scope: m.Scope, key: string(m.key)}.Target() }

// view is what lookups see: all lists at one moment. It is immutable.
type view struct {
	secret *secret
	lists  []*list
}

// list is one list in force: a base set and what changed since.
type list struct {
	info ListInfo
	base *set // nil where the list is not served
	over *overlay
}

// find returns the attributes of an entry that is listed and has not expired.
func (l *list) find(scope Scope, key []byte, hash uint64) (*attrs, bool) {
	a, decided := l.over.find(l.base.secret, scope, key, hash)
	if !decided {
		a, _ = l.base.find(scope, key, hash)
	}
	return a, a != nil && !a.expired()
}

// finding is the entry of one list that holds what is looked up. Entries are taken from the least specific to the most:
// the last one that blocks stays, else the last one that monitors.
type finding struct {
	attrs *attrs // nil where there is none
	scope Scope
	at    uint8  // where in the name looked up that of a domain or host entry begins
	key   []byte // of a url or ip entry
}

// take tells whether the list has the entry and it is the one that stays.
func (f *finding) take(l *list, scope Scope, key []byte, hash uint64) bool {
	a, ok := l.find(scope, key, hash)
	if !ok || f.attrs != nil && !f.attrs.monitor && a.monitor {
		return false
	}
	f.attrs, f.scope = a, scope
	return true
}

// findName takes the entries that hold a name, from its top-level domain down.
func (l *list) findName(w *suffixes, name []byte) (f finding) {
	s := l.base.secret
	for i := w.n - 1; i >= 0; i-- {
		if f.take(l, ScopeDomain, name[w.at[i]:], s.scoped(w.hash[i], ScopeDomain)) {
			f.at = w.at[i]
		}
	}
	if w.n > 0 && f.take(l, ScopeHost, name, s.scoped(w.hash[0], ScopeHost)) {
		f.at = 0
	}
	return f
}

// match tells what was found; key is that of the entry.
func (l *list) match(f finding, key []byte) (m Match, found bool) {
	if f.attrs == nil {
		return m, false
	}
	m = Match{
		List: l.info.List, Scope: f.scope, Category: f.attrs.category, Reference: f.attrs.reference, Monitor: f.attrs.monitor, key: key,
	}
	if f.attrs.expires != 0 {
		m.Expires = time.Unix(f.attrs.expires, 0).UTC()
	}
	return m, true
}

func (l *list) matchName(w *suffixes, name []byte) (Match, bool) {
	f := l.findName(w, name)
	return l.match(f, name[f.at:])
}

// first returns the match of the first list that blocks, else of the first that monitors.
func (v *view) first(match func(*list) (Match, bool)) (m Match, found bool) {
	for _, l := range v.lists {
		got, ok := match(l)
		if ok && (!found || m.Monitor && !got.Monitor) {
			m, found = got, true
		}
		if found && !m.Monitor {
			break
		}
	}
	return m, found
}

// all appends the match of each list that has one.
func (v *view) all(dst []Match, match func(*list) (Match, bool)) []Match {
	for _, l := range v.lists {
		if m, ok := match(l); ok {
			dst = append(dst, m)
		}
	}
	return dst
}

// LookupHost looks a host name up in all lists, and returns the match of the first list that blocks it, else the first
// that monitors it. What can't be read as a name is not listed.
func (s *Store) LookupHost(host string) (Match, bool) {
	name, err := ParseName(host)
	if err != nil {
		return Match{}, false
	}
	return s.LookupName([]byte(name))
}

// LookupName is LookupHost for a name in lower-case wire form; it does not allocate. The match keeps a reference to name.
func (s *Store) LookupName(name []byte) (m Match, found bool) {
	v := s.view.Load()
	var w suffixes
	w.walk(v.secret, name)
	return v.first(func(l *list) (Match, bool) { return l.matchName(&w, name) })
}

// AppendMatches appends to dst the match of each list that holds name (lower-case wire form), at most one a list: the
// most specific entry that blocks, else the most specific that monitors. It allocates only when dst is too small. The
// matches keep a reference to name.
func (s *Store) AppendMatches(dst []Match, name []byte) []Match {
	v := s.view.Load()
	var w suffixes
	w.walk(v.secret, name)
	return v.all(dst, func(l *list) (Match, bool) { return l.matchName(&w, name) })
}
