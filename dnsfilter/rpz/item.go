package rpz

import (
	"bytes"
	"encoding/binary"
	"net/netip"

	"github.com/argine-dns/argine/blocklist"
)

// An item is one entry of a zone as bytes. Items are sorted as bytes. An item consists of its key, and of a tail of
// tailSize bytes:
//
//	0, source, scope, verdict, expiry (4 bytes, Unix seconds; 0: never)
//
// The key of a name has its labels in reverse order, from the top-level domain on, each with a zero byte at its end.
// The bytes 0 and 1 within a label are escaped as 1 1 and 1 2. So a parent is a prefix of the names below it and sorts
// before them, and the order is the canonical order of DNSSEC (RFC 4034, section 6.1). The key of an address prefix
// begins with a zero byte, see appendIPKey.
type item []byte

const tailSize = 8

// Scopes in the tail of an item. Of one name, the item with the more specific scope comes last.
const (
	scopeDomain = 1
	scopeHost   = 2
)

func (it item) key() []byte    { return it[:len(it)-tailSize] }
func (it item) tail() []byte   { return it[len(it)-tailSize:] }
func (it item) source() int    { return int(it.tail()[1]) }
func (it item) isDomain() bool { return it.tail()[2] == scopeDomain }
func (it item) verdict() uint8 { return it.tail()[3] }
func (it item) expiry() int64  { return int64(binary.BigEndian.Uint32(it.tail()[4:])) }
func (it item) isIP() bool     { return it[0] == 0 }

// target returns the part of an item that identifies the entry: its key, source and scope.
func (it item) target() []byte { return it[:len(it)-tailSize+3] }

// expired reports whether the entry has expired at a time in Unix seconds.
func (it item) expired(at int64) bool { return it.expiry() != 0 && it.expiry() <= at }

// outlasts reports whether the entry expires later than another one. An entry without an expiry never expires.
func (it item) outlasts(other item) bool {
	return other.expiry() != 0 && (it.expiry() == 0 || it.expiry() > other.expiry())
}

// appendItem appends the item of an entry.
func appendItem(dst []byte, e *blocklist.Entry, source int, verdict uint8) item {
	scope := byte(scopeHost)
	if p, ok := e.Prefix(); ok {
		dst = appendIPKey(dst, p)
	} else {
		dst = appendNameKey(dst, e.Key())
		if e.Scope == blocklist.ScopeDomain {
			scope = scopeDomain
		}
	}
	expiry := uint32(0)
	if !e.Expires.IsZero() {
		expiry = uint32(min(max(e.Expires.Unix(), 1), 1<<32-1))
	}
	return binary.BigEndian.AppendUint32(append(dst, 0, byte(source), scope, verdict), expiry)
}

// appendNameKey appends the key of a name in wire form.
func appendNameKey[T ~string | ~[]byte](dst []byte, wire T) []byte {
	var at [blocklist.MaxName / 2]int
	labels := 0
	for i := 0; wire[i] != 0; i += 1 + int(wire[i]) {
		at[labels] = i
		labels++
	}
	for labels--; labels >= 0; labels-- {
		start := at[labels] + 1
		for _, c := range []byte(wire[start : start+int(wire[start-1])]) {
			if c > 1 {
				dst = append(dst, c)
			} else {
				dst = append(dst, 1, c+1)
			}
		}
		dst = append(dst, 0)
	}
	return dst
}

// appendOwner converts the key of a name to wire form, without the root label, and appends it.
func appendOwner(dst, key []byte) []byte {
	for end := len(key); end > 0; {
		start := bytes.LastIndexByte(key[:end-1], 0) + 1
		length := len(dst)
		dst = append(dst, 0)
		for label := key[start : end-1]; len(label) > 0; label = label[1:] {
			if label[0] == 1 {
				label = label[1:]
				dst = append(dst, label[0]-1)
				continue
			}
			dst = append(dst, label[0])
		}
		dst[length] = byte(len(dst) - length - 1)
		end = start
	}
	return dst
}

// appendIPKey appends the key of a prefix: a zero byte, the length of the address in bytes, the address, and the prefix
// length in bits.
func appendIPKey(dst []byte, p netip.Prefix) []byte {
	a := p.Addr().AsSlice()
	dst = append(dst, 0, byte(len(a)))
	return append(append(dst, a...), byte(p.Bits()))
}

// prefixOf converts a key of appendIPKey back to its prefix.
func prefixOf(key []byte) netip.Prefix {
	if len(key) < 3 || len(key) != int(key[1])+3 {
		return netip.Prefix{}
	}
	a, _ := netip.AddrFromSlice(key[2 : len(key)-1])
	return netip.PrefixFrom(a, int(key[len(key)-1]))
}
