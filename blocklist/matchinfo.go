package blocklist

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// matchInfo has the attributes of a match. Entries with the same attributes share one.
type matchInfo struct {
	category, reference string
	expires             int64 // Unix seconds; 0: never
	monitor             bool
}

func matchInfoOf(a *Attributes) matchInfo {
	out := matchInfo{category: a.Category, reference: a.Reference, monitor: a.Monitor}
	if !a.Expires.IsZero() {
		out.expires = max(a.Expires.Unix(), 1) // 0 means never, so the first second of 1970 becomes the next one
	}
	return out
}

// expired reports whether the entry has expired. It reads the clock only if there is an expiry.
func (a *matchInfo) expired() bool { return a.expires != 0 && time.Now().Unix() >= a.expires }

// outranks reports whether a takes precedence over b if one list has both for the same target: blocking over
// monitoring, then the later expiry.
func (a *matchInfo) outranks(b *matchInfo) bool {
	if a.monitor != b.monitor {
		return b.monitor
	}
	return b.expires != 0 && (a.expires == 0 || a.expires > b.expires)
}

// matchInfoTable assigns an index to each distinct matchInfo. Index 0 is for entries without attributes.
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

// numberWidth returns the size, in bytes, in which numbers from 0 to n-1 are stored.
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

// encodeInfos encodes the attributes for the set file: a count, then the rows.
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

// decodeInfos decodes the output of encodeInfos. It copies the strings, since a match may outlive the file.
func decodeInfos(b []byte) ([]matchInfo, error) {
	r := varReader{b: b}
	n := r.uvarint()
	if n > uint64(len(b)) {
		return nil, fmt.Errorf("attribute table: %w", ErrDamaged)
	}
	all := make([]matchInfo, n)
	categories := map[string]string{} // there are few, so each is copied once
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

// varReader decodes numbers and strings, and remembers whether the input was too short.
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
