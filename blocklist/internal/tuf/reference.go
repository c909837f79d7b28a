package tuf

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"

	"github.com/argine-dns/argine/blocklist"
)

// NewReference returns a reference to a document, with version, length and SHA-256.
func NewReference(doc []byte, version int64) Object[Reference] {
	sum := sha256.Sum256(doc)
	return Object[Reference]{Known: Reference{
		Version: version, Length: int64(len(doc)),
		Hashes: map[string]HexBytes{"sha256": sum[:]},
	}}
}

// check returns an error unless the reference has a valid version and length. The referenced document may have at most
// limit bytes.
func (r Reference) check(what string, limit int64) error {
	switch {
	case r.Version < 1 || r.Length < 0:
		return Malformed(what, "the next document has version %d and length %d", r.Version, r.Length)
	case r.Length > limit:
		return fail(what, blocklist.ErrTooLarge, "the next document has %d bytes, the limit is %d", r.Length, limit)
	}
	return nil
}

// Verify checks the length and the hashes of a document, if the reference has them (5.5.2, 5.6.2). It fails with
// [blocklist.ErrUntrusted].
func (r Reference) Verify(doc []byte) error {
	for algorithm, want := range r.Hashes {
		var sum []byte
		switch algorithm {
		case "sha256":
			s := sha256.Sum256(doc)
			sum = s[:]
		case "sha512":
			s := sha512.Sum512(doc)
			sum = s[:]
		default:
			return fmt.Errorf("%w: hash verification failed, unknown algorithm %.40q", blocklist.ErrUntrusted, algorithm)
		}
		if !bytes.Equal(sum, want) {
			return fmt.Errorf("%w: hash verification failed, another %s was signed", blocklist.ErrUntrusted, algorithm)
		}
	}
	if r.Length != 0 && r.Length != int64(len(doc)) {
		return fmt.Errorf("%w: length verification failed, %d bytes, signed were %d", blocklist.ErrUntrusted, len(doc),
			r.Length)
	}
	return nil
}

// Is reports whether b is the referenced document, so that it need not be fetched. It returns false for a reference
// without hashes.
func (r Reference) Is(b []byte) bool { return len(b) > 0 && len(r.Hashes) > 0 && r.Verify(b) == nil }
