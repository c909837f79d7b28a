package blocklist

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"slices"
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

// urlCountOf decodes the count of a row. It is zero without attributes.
func urlCountOf(a *matchInfo) (c urlCount) {
	if a == nil {
		return nil
	}
	for r := (varReader{b: []byte(a.reference)}); len(r.b) > 0; {
		c = append(c, expiring{r.varint(), r.uvarint()})
	}
	return c
}

// info encodes the count for a row, which expires with the last of the entries.
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

// count returns the count with one entry added or removed.
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
