package blocklist

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"slices"
)

// Each host with url entries has a row in the table, so that HasURLs needs only one lookup. The row counts the entries:
// they are added and removed one by one, and the table has digests only, from which the rest can't be counted.
// Monitoring entries are not counted.

// scopeURLHost is the scope of the rows that count url entries by host. It differs from all scopes of entries.
const scopeURLHost = 5

// urlHostCategory is the category of the rows that count url entries by host. It is not valid text, so no entry has it.
const urlHostCategory = "\x00host"

// urlCount has the number of url entries of a host for each expiry, earliest first.
type urlCount []expiring

type expiring struct {
	at int64 // Unix seconds; noExpiry: the entries do not expire
	n  uint64
}

const noExpiry = math.MaxInt64

// maxExpiries is the maximum number of different expiries in one row of the table. If there are more, the entries with
// the earliest expiry count as if they had the next one.
const maxExpiries = 32

// urlCountOf decodes the numbers in a row that counts the url entries of a host. For nil, it returns an empty count.
func urlCountOf(a *matchInfo) (c urlCount) {
	if a == nil {
		return nil
	}
	for r := (varReader{b: []byte(a.reference)}); len(r.b) > 0; {
		c = append(c, expiring{r.varint(), r.uvarint()})
	}
	return c
}

// info encodes the count for a row. The row expires with the last entry.
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

// count returns the count after one entry was added or removed.
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

// atAddress is the key of one row that counts the url entries of all addresses. They need no row for each address,
// since no DNS query asks for an address.
const atAddress = 2

// appendURLHost appends the key of the row for a url entry's host: a byte that says whether it is a *. host, then the
// wire form.
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
