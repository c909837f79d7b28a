package blocklist

import (
	"bytes"
)

// LookupURL looks up a URL in all lists: its host among domain and host entries, or among ip entries if it is an
// address, and the whole URL among url entries. It returns the match of the first list that blocks the URL, or else of
// the first list that monitors it. Within one list, blocking entries take precedence over monitoring ones. Among
// entries with the same status, url entries take precedence. Among url entries, those of the host itself precede those
// of a *. host, longer paths precede shorter ones, and an entry with a query precedes one without.
//
// The URL may have any spelling that [ParseURL] accepts, and any length: the time is linear. A URL without a host is
// not listed. Looking up an unlisted URL of usual length does not allocate, unless its host has Unicode letters or
// escapes.
func (s *lookups) LookupURL(url string) (Match, bool) {
	v := s.view.Load()
	var b urlBuffers
	u, ok := newURLQuery(v.secret, url, b.text[:0], b.name[:0])
	if !ok {
		return Match{}, false
	}
	var k keys // not part of u, so that u stays on the stack
	f := v.first(func(l *list) candidate { return u.find(l, &k) })
	if f.info == nil {
		return Match{}, false
	}
	return f.match(k[f.at]), true
}

// AppendURLMatches appends to dst one match for each list that has a matching entry for the URL, selected as by
// LookupURL. Use it for decisions that depend on the list.
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

// urlQuery is a URL to look up.
type urlQuery struct {
	expression
	name []byte // the host in wire form; empty: the host is an address
	suffixes
}

// urlBuffers are buffers for a URL of usual length, on the stack of the caller.
type urlBuffers struct {
	text [1024]byte
	name [MaxName]byte
}

// newURLQuery canonicalises a URL. It uses the arguments text and name as buffers if they are large enough. It returns
// false for a URL without a host.
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

// find returns the matching entry of a list for the URL.
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

// findURLs looks up the URL among the url entries of a list. It replaces the candidate f if an entry takes
// precedence.
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

// findPaths looks up the URL like findURLs, but only among the url entries of one host. The argument h is the hash of
// the host. For a *. host, the argument below is the number of labels that the * stands for; for other hosts, it is -1.
func (u *urlQuery) findPaths(f *candidate, k *keys, h uint64, below int) {
	l, s := f.list, f.list.base.secret
	if !l.mayContain(s.scoped(h, ScopeURL)) {
		return
	}
	consider := func(h uint64, end int, suffix string) {
		hash := s.scoped(h, ScopeURL)
		if end > MaxURL || !l.mayContain(hash) { // no listed URL is longer
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

// key returns the text of a url entry: the URL up to the offset in the argument end, and a suffix. The argument below
// is -1, or the number of labels at the beginning of the host that *. replaces.
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
