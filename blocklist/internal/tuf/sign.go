package tuf

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
)

// ed25519Type is the type, and the scheme, of the only kind of keys.
const ed25519Type = "ed25519"

// NewKey returns a public key as it stands in a root.
func NewKey(public ed25519.PublicKey) Key {
	return Key{Type: ed25519Type, Scheme: ed25519Type,
		Value: Object[KeyValue]{Known: KeyValue{Public: hex.EncodeToString(public)}}}
}

// KeyID returns the identifier that signatures of a key carry: the SHA-256 of the key's canonical form (4.2),
// hexadecimal.
func KeyID(public ed25519.PublicKey) string {
	b, err := canonicalObject(Object[Key]{Known: NewKey(public)})
	if err != nil {
		panic(err) // strings alone have a canonical form
	}
	return fmt.Sprintf("%x", sha256.Sum256(b))
}

// Public returns the ed25519 key, and false for one of another kind.
func (k Key) Public() (ed25519.PublicKey, bool) {
	b, err := hex.DecodeString(k.Value.Known.Public)
	return b, err == nil && k.Type == ed25519Type && k.Scheme == ed25519Type && len(b) == ed25519.PublicKeySize
}

// Sign returns a document, of any role, with the signature of an ed25519 signer added, or replaced where it had signed
// before. The signed part stays as it is.
func Sign(doc []byte, s crypto.Signer) ([]byte, error) {
	e, err := openEnvelope("metadata", doc, MaxTargets)
	if err != nil {
		return nil, err
	}
	public, ok := s.Public().(ed25519.PublicKey)
	if !ok {
		return nil, Malformed("signing", "an ed25519 key is needed, not %T", s.Public())
	}
	payload, err := canonicalJSON(e.Signed)
	if err != nil {
		return nil, Malformed("signed part", "%v", err)
	}
	sig, err := s.Sign(rand.Reader, payload, crypto.Hash(0))
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	id := KeyID(public)
	others := slices.DeleteFunc(e.Signatures, func(old Object[Signature]) bool { return old.Known.KeyID == id })
	e.Signatures = append(others, Object[Signature]{Known: Signature{KeyID: id, Bytes: sig}})
	return json.Marshal(e)
}
