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

// ed25519Type is the key type and the signature scheme of ed25519, the only supported kind.
const ed25519Type = "ed25519"

// NewKey returns a public key in the form that roots use.
func NewKey(public ed25519.PublicKey) Key {
	return Key{
		Type: ed25519Type, Scheme: ed25519Type,
		Value: Object[KeyValue]{Known: KeyValue{Public: hex.EncodeToString(public)}},
	}
}

// KeyID returns the identifier of a key in signatures: the SHA-256 of the key's canonical form, in hexadecimal (4.2).
func KeyID(public ed25519.PublicKey) string {
	const canonical = `{"keytype":"ed25519","keyval":{"public":"%x"},"scheme":"ed25519"}`
	return fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, canonical, []byte(public))))
}

// Public returns the ed25519 key, and false for a key of another kind.
func (k Key) Public() (ed25519.PublicKey, bool) {
	b, err := hex.DecodeString(k.Value.Known.Public)
	return b, err == nil && k.Type == ed25519Type && k.Scheme == ed25519Type && len(b) == ed25519.PublicKeySize
}

// Sign returns a document of any role with an added ed25519 signature. It replaces an earlier signature of the same
// key. The signed part stays unchanged.
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
