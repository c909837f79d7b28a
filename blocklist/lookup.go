package blocklist

import (
	"encoding/json"
	"sync/atomic"
	"time"
)

// Match is the result of a lookup: the list, the entry that matched, and its attributes.
type Match struct {
	List      string
	Scope     Scope
	Category  string
	Reference string
	Expires   time.Time // zero: never
	Monitor   bool      // report, do not block

	key []byte
}

// Entry returns the target of the entry that matched, as written in the list.
func (m Match) Entry() string { return Entry{Scope: m.Scope, key: string(m.key)}.Target() }

// entry returns the entry that matched, with the attributes in the match.
func (m Match) entry() Entry {
	a := Attributes{Category: m.Category, Reference: m.Reference, Expires: m.Expires, Monitor: m.Monitor}
	return Entry{Scope: m.Scope, key: string(m.key), Attributes: a}
}

// String returns the list and the entry as one line, such as it.example/csam: example.org category=csam.
func (m Match) String() string { return string(m.entry().Append([]byte(m.List + ": "))) }

// MarshalJSON returns the same fields as the command lookup: list, target, scope, category, ref, status (block or
// monitor) and expires (RFC 3339). Empty fields are omitted, except status.
func (m Match) MarshalJSON() ([]byte, error) {
	status := "block"
	if m.Monitor {
		status = "monitor"
	}
	return json.Marshal(struct {
		List      string    `json:"list"`
		Target    string    `json:"target"`
		Scope     string    `json:"scope"`
		Category  string    `json:"category,omitempty"`
		Reference string    `json:"ref,omitempty"`
		Status    string    `json:"status"`
		Expires   time.Time `json:"expires,omitzero"`
	}{m.List, m.Entry(), m.Scope.String(), m.Category, m.Reference, status, m.Expires})
}

// KeySize returns the length of the entry's name in wire form, in bytes. The looked-up name ends in the name of the
// entry. KeySize is only for entries of scope domain or host.
func (m Match) KeySize() int { return len(m.key) }

// view is the state of all lists that lookups use. It is immutable.
type view struct {
	secret  *secret
	lists   []*list
	version string // the result of Version
}

// lookups has the lookup methods, which are common to [Store] and [Set].
type lookups struct {
	view atomic.Pointer[view]
}

// candidate is a matching entry of one list, in a form small enough for registers.
type candidate struct {
	list  *list
	info  *matchInfo // nil: no match
	scope Scope
	at    int // the offset of the key in the looked-up name or, if the key is no suffix of that name, its index in keys
}

// keys stores the keys of matching entries, if these keys are not suffixes of the looked-up name.
type keys [][]byte

func (k *keys) add(key []byte) (number int) {
	*k = append(*k, key)
	return len(*k) - 1
}

// overrides reports whether entry a replaces the less specific entry b as the match; b may be nil. The match is the
// most specific blocking entry, or, if no entry blocks, the most specific monitoring entry.
func (a *matchInfo) overrides(b *matchInfo) bool { return b == nil || b.monitor || !a.monitor }

// match returns the candidate as a Match. The argument key is the key of the matching entry.
func (f *candidate) match(key []byte) (m Match) {
	a := f.info
	m.List, m.Scope, m.key = f.list.info.List, f.scope, key
	m.Category, m.Reference, m.Monitor = a.category, a.reference, a.monitor
	if a.expires != 0 {
		m.Expires = time.Unix(a.expires, 0).UTC()
	}
	return m
}

// findName returns the matching entry for a name. It tries the suffixes from the top-level domain on.
func (l *list) findName(w *suffixes, name []byte) candidate {
	if at, ok := l.canary.covers(w, name); ok {
		return candidate{l, &l.canary.info, ScopeDomain, at}
	}
	s := l.base.secret
	var best *matchInfo
	scope, at := ScopeDomain, 0
	for i := w.n - 1; i >= 0; i-- {
		a, ok := l.find(ScopeDomain, name[w.at[i]:], s.scoped(w.hash[i], ScopeDomain))
		if ok && a.overrides(best) {
			best, at = a, int(w.at[i])
		}
	}
	if w.n > 0 {
		a, ok := l.find(ScopeHost, name, s.scoped(w.hash[0], ScopeHost))
		if ok && a.overrides(best) {
			best, scope, at = a, ScopeHost, 0
		}
	}
	return candidate{l, best, scope, at}
}

// first calls the argument find for the lists in their order. It returns the candidate of the first list that blocks,
// or, if no list blocks, of the first list that monitors. If no list has a match, the result has a nil info.
func (v *view) first(find func(*list) candidate) (first candidate) {
	for _, l := range v.lists {
		f := find(l)
		if f.info == nil || first.info != nil && f.info.monitor {
			continue
		}
		if first = f; !f.info.monitor {
			break
		}
	}
	return first
}

// LookupName is [Store.LookupHost] for a name in lower-case wire form. It does not allocate. The match keeps a
// reference to name.
func (s *lookups) LookupName(name []byte) (Match, bool) {
	v := s.view.Load()
	var w suffixes
	w.walk(v.secret, name)
	f := v.first(func(l *list) candidate { return l.findName(&w, name) })
	if f.info == nil {
		return Match{}, false
	}
	return f.match(name[f.at:]), true
}

// AppendEntries appends to dst all matching entries of one list for a name in lower-case wire form, most specific
// first. The matches keep a reference to name.
func (s *lookups) AppendEntries(dst []Match, list string, name []byte) []Match {
	v := s.view.Load()
	var w suffixes
	w.walk(v.secret, name)
	l := v.list(list)
	if l == nil || w.n == 0 {
		return dst
	}
	consider := func(scope Scope, i int) {
		key := name[w.at[i]:]
		if a, ok := l.find(scope, key, v.secret.scoped(w.hash[i], scope)); ok {
			f := candidate{list: l, info: a, scope: scope}
			dst = append(dst, f.match(key))
		}
	}
	consider(ScopeHost, 0)
	for i := range w.n {
		consider(ScopeDomain, i)
	}
	return dst
}

// list returns the list with a name, or nil.
func (v *view) list(name string) *list {
	for _, l := range v.lists {
		if l.info.List == name {
			return l
		}
	}
	return nil
}

// AppendMatches appends to dst one match for each list that has a matching entry for a name in lower-case wire form:
// the most specific entry that blocks, or else the most specific one that monitors. It allocates only if dst is too
// small. The matches keep a reference to name.
func (s *lookups) AppendMatches(dst []Match, name []byte) []Match {
	v := s.view.Load()
	var w suffixes
	w.walk(v.secret, name)
	for _, l := range v.lists {
		if f := l.findName(&w, name); f.info != nil {
			dst = append(dst, f.match(name[f.at:]))
		}
	}
	return dst
}
