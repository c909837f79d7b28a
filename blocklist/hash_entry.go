package blocklist

import (
	"bytes"
	"net/netip"
)

// filterHash is the hash of an entry in the Bloom filter. For names it is built label by label from the right, so
// that one pass gives the hashes of a name and of all its parents. A url entry feeds it with its host too, so that
// the paths of other hosts need not be looked at; host is 0 for the other scopes. It works in w.
func (s *secret) filterHash(w *suffixes, e *Entry) (hash, host uint64) {
	switch e.Scope {
	case ScopeDomain, ScopeHost:
	case ScopeURL:
		return s.urlHash([]byte(e.key))
	case ScopeIP:
		p, _ := e.Prefix()
		return s.prefixHash(p), 0
	}
	w.walk(s, []byte(e.key))
	return s.scoped(w.hash[0], e.Scope), 0
}

// prefixHash is the filter hash of an ip entry.
func (s *secret) prefixHash(p netip.Prefix) uint64 {
	b := p.Addr().As16()
	return s.scoped(s.extend(uint64(p.Bits()), b[16-p.Addr().BitLen()/8:]), ScopeIP)
}

// urlHash is the filter hash of a url entry, and that of its host. Of all expressions that a URL has to be looked up
// by, the hashes come from one pass: that of the host, then mixed with each segment of the path.
func (s *secret) urlHash(key []byte) (hash, host uint64) {
	key, below := bytes.CutPrefix(key, []byte("*."))
	path := max(bytes.IndexByte(key, '/'), 0)
	h := s.hostHash(key[:path])
	if below {
		h = s.belowHash(h)
	}
	host = s.scoped(h, ScopeURL)
	query := len(key)
	if i := bytes.IndexByte(key, '?'); i >= 0 {
		query = i
	}
	for i := path; i < query; {
		next := segmentEnd(key[:query], i)
		h = s.extend(h, key[i:next])
		i = next
	}
	if parts, ok := bytes.CutSuffix(key[query:], []byte(anyOrder)); ok {
		h = s.anyOrderHash(h, parts)
	} else if query < len(key) {
		h = s.extend(h, key[query:])
	}
	return s.scoped(h, ScopeURL), host
}

// segmentEnd returns where the segment ends that begins with the slash at i.
func segmentEnd(path []byte, i int) int {
	if n := bytes.IndexByte(path[i+1:], '/'); n >= 0 {
		return i + 1 + n
	}
	return len(path)
}

// hostHash begins the hashes of the expressions of a host: that of a name is what suffixes has for it.
func (s *secret) hostHash(host []byte) uint64 {
	var name [MaxName]byte
	var w suffixes
	w.walk(s, appendHostName(name[:0], expression{text: host, path: len(host)}))
	if _, ok := parseIPv4(host); ok || w.n == 0 {
		return s.extend(0, host)
	}
	return w.hash[0]
}

// belowHash returns the hash of the host with the label * in front.
func (s *secret) belowHash(host uint64) uint64 { return s.extend(host, []byte("*")) }

// anyOrderHash is the same for all orders of the parts of a query, which begins with its question mark.
func (s *secret) anyOrderHash(h uint64, query []byte) uint64 {
	sum := uint64(0)
	for rest, more := query[1:], true; more; {
		var part []byte
		part, rest, more = bytes.Cut(rest, []byte{'&'})
		sum += s.extend(s.mul[2], part)
	}
	return mix(h^sum, s.mul[2])
}
