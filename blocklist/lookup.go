package blocklist

import (
	"encoding/json"
	"sync/atomic"
	"time"
)

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

// entry returns the entry that matched, with what is known of its attributes.
func (m Match) entry() Entry {
	a := Attributes{Category: m.Category, Reference: m.Reference, Expires: m.Expires, Monitor: m.Monitor}
	return Entry{Scope: m.Scope, key: string(m.key), Attributes: a}
}

// String returns the list and the entry that matched, in a line: it.example/csam: example.org category=csam.
func (m Match) String() string { return string(m.entry().Append([]byte(m.List + ": "))) }

// MarshalJSON writes the match as the command lookup does: list, target, scope, category, ref, status (block or
// monitor) and expires (RFC 3339). Empty ones are left out, but for status.
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

// KeySize returns how many bytes of a name in wire form, counted from its end, are the entry of scope domain or host
// that matched it.
func (m Match) KeySize() int { return len(m.key) }

// view is what lookups see: all lists at one moment. It is immutable.
type view struct {
	secret  *secret
	lists   []*list
	version string // see Version
}

// lookups is what a [Store] and a [Set] have in common.
type lookups struct {
	view atomic.Pointer[view]
}

// candidate is the entry of a list that holds what is looked up. It is small enough to stay in registers.
type candidate struct {
	list  *list
	info  *matchInfo // nil where there is none
	scope Scope
	at    int // its key: where that begins in the name looked up, or its number in keys
}

// keys are those of entries that do not end the name looked up.
type keys [][]byte

func (k *keys) add(key []byte) (number int) {
	*k = append(*k, key)
	return len(*k) - 1
}

// overrides reports whether an entry takes the place of a less specific one, if there is one. From the least specific
// to the most, the last one that blocks stays, else the last one that monitors.
func (a *matchInfo) overrides(b *matchInfo) bool { return b == nil || b.monitor || !a.monitor }

// match returns what was found; key is that of the entry.
func (f *candidate) match(key []byte) (m Match) {
	a := f.info
	m.List, m.Scope, m.key = f.list.info.List, f.scope, key
	m.Category, m.Reference, m.Monitor = a.category, a.reference, a.monitor
	if a.expires != 0 {
		m.Expires = time.Unix(a.expires, 0).UTC()
	}
	return m
}

// findName finds the entry that holds a name, from its top-level domain down.
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

// first returns what the first list has that blocks, else the first that monitors; without attributes if there is
// nothing.
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

// LookupName is [Store.LookupHost] for a name in lower-case wire form; it does not allocate. The match keeps a
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

// AppendEntries appends to dst every entry of one list that holds name (lower-case wire form), the most specific
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

// list returns the list with a name; nil if it is not in force.
func (v *view) list(name string) *list {
	for _, l := range v.lists {
		if l.info.List == name {
			return l
		}
	}
	return nil
}

// AppendMatches appends to dst the match of each list that holds name (lower-case wire form), at most one a list: the
// most specific entry that blocks, else the most specific that monitors. It allocates only when dst is too small. The
// matches keep a reference to name.
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
