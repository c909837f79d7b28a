package blocklist

import (
	"bytes"
	"net/netip"
)

// filterHash returns the hash of an entry for the Bloom filter. The hash of a name is computed label by label from the
// right, so one pass computes the hashes of a name and of all its parents. For a url entry, the second result is the
// hash of its host. It is added to the filter, too, so that lookups can skip the paths of hosts without url entries.
// For the other scopes, it is 0. The buffer w is overwritten.
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

// prefixHash returns the filter hash of an ip entry.
func (s *secret) prefixHash(p netip.Prefix) uint64 {
	b := p.Addr().As16()
	return s.scoped(s.extend(uint64(p.Bits()), b[16-p.Addr().BitLen()/8:]), ScopeIP)
}

// urlHash returns the filter hash of a url entry and of its host. The hash of the host is extended by each segment of
// the path, so that one pass computes the hashes of all expressions for a URL.
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

// segmentEnd returns the end of the segment that begins with the slash at index i.
func segmentEnd(path []byte, i int) int {
	if n := bytes.IndexByte(path[i+1:], '/'); n >= 0 {
		return i + 1 + n
	}
	return len(path)
}

// hostHash returns the hash of a host. The hashes of all expressions with this host are extensions of it. If the host
// is a name, the result is the same hash that [suffixes] has for the name.
func (s *secret) hostHash(host []byte) uint64 {
	var name [MaxName]byte
	var w suffixes
	w.walk(s, appendHostName(name[:0], expression{text: host, path: len(host)}))
	if _, ok := parseIPv4(host); ok || w.n == 0 {
		return s.extend(0, host)
	}
	return w.hash[0]
}

// belowHash returns the hash of the wildcard name directly below a host, such as *.example.org for example.org. The
// argument is the hash of the host.
func (s *secret) belowHash(host uint64) uint64 { return s.extend(host, []byte("*")) }

// anyOrderHash extends the hash of a path by a query. The result does not depend on the order of the query's parts.
// The query begins with a question mark.
func (s *secret) anyOrderHash(h uint64, query []byte) uint64 {
	sum := uint64(0)
	for rest, more := query[1:], true; more; {
		var part []byte
		part, rest, more = bytes.Cut(rest, []byte{'&'})
		sum += s.extend(s.mul[2], part)
	}
	return mix(h^sum, s.mul[2])
}
