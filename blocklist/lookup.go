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

// match finds the entry that holds a name: the most specific that blocks, else the most specific that monitors.
func (l *list) match(w *suffixes, name []byte) (m Match, found bool) {
	s := l.base.secret
	var best *attrs
	consider := func(scope Scope, i int) {
		key := name[w.at[i]:]
		a, ok := l.find(scope, key, s.scoped(w.hash[i], scope))
		if ok && (best == nil || best.monitor || !a.monitor) {
			best, m.Scope, m.key = a, scope, key
		}
	}
	for i := w.n - 1; i >= 0; i-- { // from the top-level domain down, so that the last word is the most specific
		consider(ScopeDomain, i)
	}
	if w.n > 0 {
		consider(ScopeHost, 0)
	}
	if best == nil {
		return m, false
	}
	m.List, m.Category, m.Reference, m.Monitor = l.info.List, best.category, best.reference, best.monitor
	if best.expires != 0 {
		m.Expires = time.Unix(best.expires, 0).UTC()
	}
	return m, true
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
	for _, l := range v.lists {
		got, ok := l.match(&w, name)
		if ok && (!found || m.Monitor && !got.Monitor) {
			m, found = got, true
		}
		if found && !m.Monitor {
			break
		}
	}
	return m, found
}

// AppendMatches appends to dst the match of each list that holds name (lower-case wire form), at most one a list: the
// most specific entry that blocks, else the most specific that monitors. It allocates only when dst is too small. The
// matches keep a reference to name.
func (s *Store) AppendMatches(dst []Match, name []byte) []Match {
	v := s.view.Load()
	var w suffixes
	w.walk(v.secret, name)
	for _, l := range v.lists {
		if m, ok := l.match(&w, name); ok {
			dst = append(dst, m)
		}
	}
	return dst
}
