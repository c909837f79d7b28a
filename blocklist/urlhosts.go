package blocklist

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"runtime"
	"slices"
	"time"
)

// A host that has url entries has a row of its own in the table, so that one lookup reports whether there are any:
// see HasURLs. The row counts them, since entries go one by one and what is left of a host can't be read from
// digests. Entries that only monitor are left out.

// scopeURLHost is the scope of these rows.
const scopeURLHost = 5 // behind those of entries

// urlHostCategory is the category of these rows. No entry has it, since it is no text.
const urlHostCategory = "\x00host"

// urlCount counts the url entries of a host by their expiries, in order.
type urlCount []expiring

type expiring struct {
	at int64 // noExpiry for entries without an expiry
	n  uint64
}

const noExpiry = math.MaxInt64

// maxExpiries bounds what a row may hold. Beyond, the entries that expire first count with those that expire next.
const maxExpiries = 32

// urlCountOf reads the count of a row; without attributes there is none.
func urlCountOf(a *matchInfo) (c urlCount) {
	if a == nil {
		return nil
	}
	for r := (varReader{b: []byte(a.reference)}); len(r.b) > 0; {
		c = append(c, expiring{r.varint(), r.uvarint()})
	}
	return c
}

// info returns what the row has: it expires with the last of the entries.
func (c urlCount) info() matchInfo {
	a := matchInfo{category: urlHostCategory}
	var b []byte
	for _, e := range c {
		b = binary.AppendUvarint(binary.AppendVarint(b, e.at), e.n)
		a.expires = e.at
	}
	if a.expires == noExpiry {
		a.expires = 0
	}
	a.reference = string(b)
	return a
}

// count takes an entry in or out.
func (c urlCount) count(expires int64, removed bool) urlCount {
	if expires == 0 {
		expires = noExpiry
	}
	i, found := slices.BinarySearchFunc(c, expires, func(e expiring, at int64) int { return cmp.Compare(e.at, at) })
	switch {
	case removed && i < len(c):
		if c[i].n--; c[i].n == 0 {
			return slices.Delete(c, i, i+1)
		}
	case removed:
	case found:
		c[i].n++
	default:
		c = slices.Insert(c, i, expiring{expires, 1})
	}
	if len(c) > maxExpiries {
		c[1].n += c[0].n
		c = c[1:]
	}
	return c
}

// atAddress is the key of the row that all addresses share: the DNS is not asked for one of them.
const atAddress = 2

// appendURLHost appends the key of the row for a url entry's host: whether it is a *. host, and the wire form.
func appendURLHost(dst []byte, key string) []byte {
	host, below := bytes.CutPrefix([]byte(key), []byte("*."))
	host = host[:max(bytes.IndexByte(host, '/'), 0)]
	if _, ok := parseIPv4(host); ok {
		return append(dst, atAddress)
	}
	name := appendHostName(nil, expression{text: host, path: len(host)})
	if len(name) == 0 {
		return append(dst, atAddress)
	}
	return append(appendBelow(dst, below), name...)
}

func appendBelow(dst []byte, below bool) []byte {
	if below {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// countURL keeps the row of a url entry's host in step with a change.
func (o *overlay) countURL(base *set, c Change, hash uint64) {
	var buf [1 + MaxName]byte
	key := appendURLHost(buf[:0], c.Entry.key)
	if c.Entry.Monitor {
		return
	}
	a, decided := o.find(base.secret, scopeURLHost, key, hash)
	if !decided { // of addresses, the filter knows others than this one
		a = base.at(base.secret.tableKey(scopeURLHost, key))
	}
	n := urlCountOf(a).count(matchInfoOf(&c.Entry.Attributes).expires, c.Removed)
	o.put(base.secret.tableKey(scopeURLHost, key), n.info(), len(n) == 0)
}

// urlOfHost is a url entry as a builder counts it.
type urlOfHost struct {
	host    tableKey
	hash    uint64 // of the host, in the Bloom filter
	expires int64
}

// countURL takes note of a url entry.
func (b *builder) countURL(e *Entry, hash uint64) {
	var buf [1 + MaxName]byte
	key := appendURLHost(buf[:0], e.key)
	if e.Monitor {
		return
	}
	b.urls = append(b.urls, urlOfHost{b.secret.tableKey(scopeURLHost, key), hash, matchInfoOf(&e.Attributes).expires})
}

// addHosts adds the rows of the hosts of url entries, and returns how many. Entries that a local list repeats are
// counted again, which does no harm, since such lists are never changed one by one.
func (b *builder) addHosts() (rows int) {
	slices.SortFunc(b.urls, func(x, y urlOfHost) int { return x.host.compare(y.host) })
	for i := 0; i < len(b.urls); rows++ {
		first := b.urls[i]
		var n urlCount
		for ; i < len(b.urls) && b.urls[i].host == first.host; i++ {
			n = n.count(b.urls[i].expires, false)
		}
		b.put(record{setRow{first.host, b.infos.add(n.info())}, first.hash})
	}
	b.urls = nil
	return rows
}

// CountURLs returns how many url entries of a list block; expired ones don't count, and those that a local list
// repeats count again. It goes through the list once, if there are any.
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

// HasURLs reports whether a list has url entries for a host, given in lower-case wire form: by its own name, or by
// that of a *. host. Entries that have expired or only monitor don't count. It does not allocate.
//
// The answer does not say which: whether a request is to be refused is for LookupURL to say, where the URL is known.
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
