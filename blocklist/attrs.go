package blocklist

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// attrs is what a match tells beside its target. Entries of a list share them.
type attrs struct {
	category, reference string
	expires             int64 // Unix seconds; 0: never
	monitor             bool
}

func attrsOf(a *Attributes) attrs {
	out := attrs{category: a.Category, reference: a.Reference, monitor: a.Monitor}
	if !a.Expires.IsZero() {
		out.expires = max(a.Expires.Unix(), 1) // the first second of 1970 is past, too
	}
	return out
}

// expired reads the clock only for entries that can expire.
func (a *attrs) expired() bool { return a.expires != 0 && time.Now().Unix() >= a.expires }

// stronger reports whether a must win over b where one list has both for the same target: blocking over monitoring, then
// the later expiry.
func (a *attrs) stronger(b *attrs) bool {
	if a.monitor != b.monitor {
		return b.monitor
	}
	return b.expires != 0 && (a.expires == 0 || a.expires > b.expires)
}

// attrsTable gives each distinct attrs a number; 0 is that of entries without attributes.
type attrsTable struct {
	all    []attrs
	number map[attrs]uint32
}

func newAttrsTable() *attrsTable {
	return &attrsTable{all: []attrs{{}}, number: map[attrs]uint32{{}: 0}}
}

func (t *attrsTable) add(a attrs) uint32 {
	if a == (attrs{}) {
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

// encodeAttrs writes the table for the set file: a count, then the rows.
func encodeAttrs(all []attrs) []byte {
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

// decodeAttrs reads what encodeAttrs wrote. The strings are copies: a match may outlive the file.
func decodeAttrs(b []byte) ([]attrs, error) {
	r := varReader{b: b}
	n := r.uvarint()
	if n > uint64(len(b)) {
		return nil, fmt.Errorf("attribute table: %w", ErrDamaged)
	}
	all := make([]attrs, n)
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
