package blocklist

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// matchInfo is what a match says besides its target: one for all entries with the same attributes.
type matchInfo struct {
	category, reference string
	expires             int64 // Unix seconds; 0: never
	monitor             bool
}

func matchInfoOf(a *Attributes) matchInfo {
	out := matchInfo{category: a.Category, reference: a.Reference, monitor: a.Monitor}
	if !a.Expires.IsZero() {
		out.expires = max(a.Expires.Unix(), 1) // the first second of 1970 is past, too
	}
	return out
}

// expired reads the clock only for entries that can expire.
func (a *matchInfo) expired() bool { return a.expires != 0 && time.Now().Unix() >= a.expires }

// outranks reports whether a must win over b where one list has both for the same target: blocking over monitoring,
// then the later expiry.
func (a *matchInfo) outranks(b *matchInfo) bool {
	if a.monitor != b.monitor {
		return b.monitor
	}
	return b.expires != 0 && (a.expires == 0 || a.expires > b.expires)
}

// matchInfoTable gives each distinct matchInfo a number; 0 is that of entries without attributes.
type matchInfoTable struct {
	all    []matchInfo
	number map[matchInfo]uint32
}

func newMatchInfoTable() *matchInfoTable {
	return &matchInfoTable{all: []matchInfo{{}}, number: map[matchInfo]uint32{{}: 0}}
}

func (t *matchInfoTable) add(a matchInfo) uint32 {
	if a == (matchInfo{}) {
		return 0
	}
	n, ok := t.number[a]
	if !ok {
		n = uint32(len(t.all))
		a.category, a.reference = strings.Clone(a.category), strings.Clone(a.reference) // they may be parts of long lines
		t.all = append(t.all, a)
		t.number[a] = n
	}
	return n
}

// numberWidth is the number of bytes that hold any number of a table of n rows.
func numberWidth(n int) int {
	switch {
	case n == 1:
		return 0
	case n <= 1<<8:
		return 1
	case n <= 1<<16:
		return 2
	}
	return 4
}

// encodeInfos writes the table for the set file: a count, then the rows.
func encodeInfos(all []matchInfo) []byte {
	b := binary.AppendUvarint(nil, uint64(len(all)))
	for _, a := range all {
		for _, s := range []string{a.category, a.reference} {
			b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
		}
		b = binary.AppendVarint(b, a.expires)
		flags := byte(0)
		if a.monitor {
			flags = 1
		}
		b = append(b, flags)
	}
	return b
}

// decodeInfos reads what encodeInfos wrote. The strings are copies: a match may outlive the file.
func decodeInfos(b []byte) ([]matchInfo, error) {
	r := varReader{b: b}
	n := r.uvarint()
	if n > uint64(len(b)) {
		return nil, fmt.Errorf("attribute table: %w", ErrDamaged)
	}
	all := make([]matchInfo, n)
	categories := map[string]string{} // few distinct ones: one copy each
	for i := range all {
		a := &all[i]
		category := r.bytes()
		if _, ok := categories[string(category)]; !ok {
			categories[string(category)] = string(category)
		}
		a.category, a.reference = categories[string(category)], string(r.bytes())
		a.expires = r.varint()
		a.monitor = r.byte() == 1
	}
	if r.bad || len(r.b) > 0 || n == 0 {
		return nil, fmt.Errorf("attribute table: %w", ErrDamaged)
	}
	return all, nil
}

// varReader reads numbers and strings, and remembers when one did not fit.
type varReader struct {
	b   []byte
	bad bool
}

func (r *varReader) skip(n int) {
	r.bad = r.bad || n <= 0 || n > len(r.b)
	if r.bad {
		r.b = nil
		return
	}
	r.b = r.b[n:]
}

func (r *varReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	r.skip(n)
	return v
}

func (r *varReader) varint() int64 {
	v, n := binary.Varint(r.b)
	r.skip(n)
	return v
}

func (r *varReader) bytes() []byte {
	n := r.uvarint()
	if n == 0 || r.bad || n > uint64(len(r.b)) {
		r.bad = r.bad || n > 0
		return nil
	}
	s := r.b[:n]
	r.skip(int(n))
	return s
}

func (r *varReader) byte() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	c := r.b[0]
	r.skip(1)
	return c
}
