package blocklist

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

// secret is the random hash key of a store. It prevents attackers from constructing collisions.
type secret struct {
	salt  [saltSize]byte
	mul   [3]uint64
	scope [ScopeIP + 1]uint64
}

const saltSize = 16

func newSalt() (salt [saltSize]byte) {
	rand.Read(salt[:])
	return salt
}

func newSecret(salt [saltSize]byte) *secret {
	s := &secret{salt: salt}
	word := func(i byte) uint64 {
		sum := sha256.Sum256(append(salt[:], "filter"+string('0'+rune(i))...))
		return binary.LittleEndian.Uint64(sum[:])
	}
	for i := range s.mul {
		s.mul[i] = word(byte(i)) | 1
	}
	for i := range s.scope {
		s.scope[i] = word(byte(len(s.mul) + i))
	}
	return s
}

// tableKey identifies an entry in the table: the first 16 bytes of SHA-256(salt, scope, key), as two big-endian
// numbers.
type tableKey struct{ hi, lo uint64 }

func (k tableKey) compare(l tableKey) int {
	if c := cmp.Compare(k.hi, l.hi); c != 0 {
		return c
	}
	return cmp.Compare(k.lo, l.lo)
}

func decodeKey(b []byte) tableKey {
	return tableKey{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:16])}
}

func (s *secret) tableKey(scope Scope, key []byte) tableKey {
	var buf [saltSize + 1 + MaxName]byte
	b := append(append(append(buf[:0], s.salt[:]...), byte(scope)), key...)
	sum := sha256.Sum256(b)
	return decodeKey(sum[:])
}

func (s *secret) scoped(h uint64, scope Scope) uint64 { return mix(h^s.scope[scope], s.mul[2]) }

// extend adds one more label, on the left, to the hash of the labels to its right.
func (s *secret) extend(h uint64, label []byte) uint64 {
	for len(label) >= 8 {
		h = mix(h^binary.LittleEndian.Uint64(label), s.mul[0])
		label = label[8:]
	}
	tail := uint64(len(label) + 1)
	for _, c := range label {
		tail = tail<<8 | uint64(c)
	}
	return mix(h^tail, s.mul[1])
}

// mix multiplies h by k and folds the 128-bit product, so that each bit of the result depends on all bits of h.
func mix(h, k uint64) uint64 {
	hi, lo := bits.Mul64(h, k)
	return hi ^ lo
}

// maxLabels is the maximum number of labels in a name.
const maxLabels = MaxName / 2

// suffixes has, for each suffix of a name, its offset and its filter hash (without scope).
type suffixes struct {
	n    int
	at   [maxLabels]uint8
	hash [maxLabels]uint64
}

// walk computes the suffixes of a name. A name that is not well-formed has none.
func (w *suffixes) walk(s *secret, name []byte) {
	i := 0
	w.n = 0
	for i < len(name) && name[i] != 0 {
		if w.n == maxLabels || i > MaxName {
			w.n = 0
			return
		}
		w.at[w.n] = uint8(i)
		w.n++
		i += 1 + int(name[i])
	}
	if i != len(name)-1 {
		w.n = 0
		return
	}
	h := uint64(0)
	for j := w.n - 1; j >= 0; j-- {
		h = s.extend(h, name[w.at[j]:i])
		i = int(w.at[j])
		w.hash[j] = h
	}
}
