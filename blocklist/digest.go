package blocklist

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
)

// Digest identifies the state of a list: it is the sum, modulo 2^256, of the SHA-256 hashes of all canonical entry
// lines. A change costs one addition or subtraction. The digest detects mistakes and damage. Signatures protect against
// attackers.
type Digest struct {
	words [4]uint64 // least significant word first
}

// Add adds the hash of a canonical line to the sum.
func (d *Digest) Add(line []byte) { d.add(lineHash(line)) }

func (d *Digest) add(words [4]uint64) {
	var carry uint64
	for i, w := range words {
		d.words[i], carry = bits.Add64(d.words[i], w, carry)
	}
}

// Remove subtracts the hash of a canonical line from the sum.
func (d *Digest) Remove(line []byte) {
	var borrow uint64
	for i, w := range lineHash(line) {
		d.words[i], borrow = bits.Sub64(d.words[i], w, borrow)
	}
}

func (d *Digest) count(removed bool, line []byte) {
	if removed {
		d.Remove(line)
		return
	}
	d.Add(line)
}

func lineHash(line []byte) (words [4]uint64) {
	sum := sha256.Sum256(line)
	for i := range words {
		words[i] = binary.BigEndian.Uint64(sum[24-8*i:])
	}
	return words
}

// String returns 64 hexadecimal digits, most significant first.
func (d Digest) String() string {
	text, _ := d.MarshalText()
	return string(text)
}

// MarshalText implements [encoding.TextMarshaler].
func (d Digest) MarshalText() ([]byte, error) {
	var b [32]byte
	for i, w := range d.words {
		binary.BigEndian.PutUint64(b[24-8*i:], w)
	}
	return hex.AppendEncode(nil, b[:]), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler]. It accepts the output of MarshalText only.
func (d *Digest) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != 32 || hex.EncodeToString(b) != string(text) {
		return fmt.Errorf("digest %q: %w: 64 lower-case hexadecimal digits are needed", excerpt(string(text)), ErrMalformed)
	}
	for i := range d.words {
		d.words[i] = binary.BigEndian.Uint64(b[24-8*i:])
	}
	return nil
}

// ParseDigest parses 64 lower-case hexadecimal digits.
func ParseDigest(text string) (d Digest, err error) {
	err = d.UnmarshalText([]byte(text))
	return d, err
}
