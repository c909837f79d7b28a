package trust

import (
	"crypto/ed25519"
	"encoding/hex"
	"fmt"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/notekey"
)

// keyID returns the identifier that signatures carry: it depends on the public key alone.
func keyID(public ed25519.PublicKey) (string, error) {
	key, err := metadata.KeyFromPublicKey(public)
	if err != nil {
		return "", fmt.Errorf("key: %w: %w", blocklist.ErrMalformed, err)
	}
	return key.ID()
}

// keyFromTUF reads a key of a root.
func keyFromTUF(id string, from *metadata.Key) (notekey.Key, error) {
	name, _ := from.UnrecognizedFields[fieldName].(string)
	b, err := hex.DecodeString(from.Value.PublicKey)
	k := notekey.Key{Name: name, Public: b}
	if from.Type != metadata.KeyTypeEd25519 || from.Scheme != metadata.KeySchemeEd25519 || err != nil {
		return k, malformed("root", "key %.80q is not an ed25519 key", name)
	}
	if err := k.Check(); err != nil {
		return k, err
	}
	if want, err := keyID(k.Public); err != nil || id != want {
		return k, malformed("root", "key %q stands under an identifier that is not its own", name)
	}
	return k, nil
}

// keyToTUF returns the key as it stands in a root, with its identifier.
func keyToTUF(k notekey.Key) (id string, key *metadata.Key, err error) {
	if err = k.Check(); err != nil {
		return "", nil, err
	}
	if key, err = metadata.KeyFromPublicKey(k.Public); err != nil {
		return "", nil, err
	}
	if id, err = key.ID(); err != nil {
		return "", nil, err
	}
	key.UnrecognizedFields = map[string]any{fieldName: k.Name}
	return id, key, nil
}
