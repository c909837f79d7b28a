package blocklist

import (
	"bytes"
)

// LookupURL looks a URL up in all lists: by the domain and host entries of its host, or the ip entries if that is an
// address, and by the url entries that cover it. It returns the match of the first list that blocks it, else of the
// first that monitors it. Within a list a blocking entry goes before one that monitors, then url entries before the
// others, those of the host itself before those of a *. host, and the longer path, at last with its query, before the
// shorter.
//
// Any spelling will do, as in [ParseURL], and any length: it takes linear time. What has no host is not listed. A URL
// of usual length that is not listed costs no allocation, unless its host has Unicode letters or escapes.
func (s *lookups) LookupURL(url string) (Match, bool) {
	v := s.view.Load()
	var b urlBuffers
	u, ok := newURLQuery(v.secret, url, b.text[:0], b.name[:0])
	if !ok {
		return Match{}, false
	}
	var k keys // apart from u, or u would not stay on the stack
	f := v.first(func(l *list) candidate { return u.find(l, &k) })
	if f.info == nil {
		return Match{}, false
	}
	return f.match(k[f.at]), true
}

// AppendURLMatches appends to dst the match of each list that covers the URL, at most one a list, chosen as by
// LookupURL. It is for those who decide by list, or have to say who else has listed something.
func (s *lookups) AppendURLMatches(dst []Match, url string) []Match {
	v := s.view.Load()
	var b urlBuffers
	u, ok := newURLQuery(v.secret, url, b.text[:0], b.name[:0])
	if !ok {
		return dst
	}
	var k keys
	for _, l := range v.lists {
		if f := u.find(l, &k); f.info != nil {
			dst = append(dst, f.match(k[f.at]))
		}
	}
	return dst
}

// urlQuery is a URL that is looked up.
type urlQuery struct {
	expression
	name []byte // the host in wire form, if it is a name
	suffixes
}

// urlBuffers are room for a URL of usual length, on the stack of the caller.
type urlBuffers struct {
	text [1024]byte
	name [MaxName]byte
}

// newURLQuery canonicalises a URL, in text and name if they have room. There is none where there is no host.
func newURLQuery(s *secret, url string, text, name []byte) (u urlQuery, ok bool) {
	if len(url) > cap(text)*3/4 {
		text = make([]byte, 0, 3*len(url)+16)
	}
	if u.expression, ok = canonicalURL(text, url); ok {
		u.name = appendHostName(name, u.expression)
		u.walk(s, u.name)
	}
	return u, ok
}

// find finds the entry of a list that covers the URL.
func (u *urlQuery) find(l *list, k *keys) candidate {
	var f candidate
	if u.addr.IsValid() {
		f = l.findAddr(u.addr, k)
	} else if f = l.findName(&u.suffixes, u.name); f.info != nil {
		f.at = k.add(bytes.Clone(u.name[f.at:]))
	}
	if l.features().URLs != 0 {
		u.findURLs(&f, k)
	}
	return f
}

// findURLs finds the url entries.
func (u *urlQuery) findURLs(f *candidate, k *keys) {
	s := f.list.base.secret
	if u.n == 0 {
		u.findPaths(f, k, s.hostHash(u.text[:u.path]), -1)
		return
	}
	for i := u.n - 1; i >= 0; i-- {
		u.findPaths(f, k, s.belowHash(u.hash[i]), i)
	}
	u.findPaths(f, k, u.hash[0], -1)
}

// findPaths finds the url entries of one host. It is given by the hash that its expressions begin with, and by the
// number of labels before it where it is a *. host, else -1.
func (u *urlQuery) findPaths(f *candidate, k *keys, h uint64, below int) {
	l, s := f.list, f.list.base.secret
	if !l.mayContain(s.scoped(h, ScopeURL)) {
		return
	}
	consider := func(h uint64, end int, suffix string) {
		hash := s.scoped(h, ScopeURL)
		if end > MaxURL || !l.mayContain(hash) { // nothing longer is listed
			return
		}
		key := u.key(below, end, suffix)
		if a, ok := l.find(ScopeURL, key, hash); ok && a.overrides(f.info) {
			f.info, f.scope, f.at = a, ScopeURL, k.add(key)
		}
	}
	for i := u.path; i < u.query; {
		consider(s.extend(h, []byte("/*")), i, "/*")
		next := segmentEnd(u.text[:u.query], i)
		h = s.extend(h, u.text[i:next])
		i = next
	}
	consider(s.extend(h, []byte("/*")), u.query, "/*")
	consider(h, u.query, "")
	if query := u.text[u.query:]; len(query) > 0 && len(u.text) <= MaxURL {
		if sum := s.anyOrderHash(h, query); l.mayContain(s.scoped(sum, ScopeURL)) {
			consider(sum, u.query, "?"+sortedQuery(string(query[1:]))+anyOrder)
		}
		consider(s.extend(h, query), len(u.text), "")
	}
}

// key returns the expression of an entry: the host, or the *. host after that number of labels, what follows up to
// end, a suffix.
func (u *urlQuery) key(below, end int, suffix string) []byte {
	var key []byte
	start := 0
	if below >= 0 {
		key = append(key, "*."...)
	}
	for range max(below, 0) {
		start += bytes.IndexByte(u.text[start:], '.') + 1
	}
	return append(append(key, u.text[start:end]...), suffix...)
}
