package tuf

import (
	"crypto/ed25519"
	"fmt"

	"github.com/argine-dns/argine/blocklist"
)

// SignedBy reports whether a key has signed the document as received. Only the first signature with the key's
// identifier is verified, so a document costs at most one verification for each key.
func (d *Document) SignedBy(public ed25519.PublicKey) bool {
	return d.verify(KeyID(public), public, d.signed)
}

// verify reports whether the first signature with the key identifier id is valid for a payload. It returns false if the
// payload is nil.
func (d *Document) verify(id string, public ed25519.PublicKey, payload []byte) bool {
	if payload == nil {
		return false
	}
	for _, s := range d.Signatures {
		if s.Known.KeyID == id {
			return ed25519.Verify(public, payload, s.Known.Bytes)
		}
	}
	return false
}

// Verify checks that enough keys of the document's role have signed it; the threshold counts distinct public keys
// (5.3.4, 5.4.2, 5.5.3, 5.6.3). It fails with [blocklist.ErrUntrusted].
func (r *Root) Verify(d *Document) error {
	role := r.Roles[d.role].Known
	if role.Threshold < 1 {
		return fail(d.role, blocklist.ErrUntrusted, "root %d has no threshold for it", r.Version)
	}
	signed := map[string]bool{}
	for _, id := range role.KeyIDs {
		key, ok := r.Keys[id]
		if !ok {
			return fail(d.role, blocklist.ErrUntrusted, "root %d has no key %.80q", r.Version, id)
		}
		public, ok := key.Known.Public()
		if !ok {
			return fail(d.role, blocklist.ErrUntrusted, "key %.80q of root %d is not an ed25519 key", id, r.Version)
		}
		if d.verify(id, public, d.payload()) {
			signed[string(public)] = true
		}
	}
	if len(signed) < role.Threshold {
		return fmt.Errorf("%s: %w: not enough signatures, got %d, want %d", d.role, blocklist.ErrUntrusted, len(signed),
			role.Threshold)
	}
	return nil
}
