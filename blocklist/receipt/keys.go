package receipt

import (
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/notekey"
	"github.com/argine-dns/argine/blocklist/internal/utf8text"
)

// MaxKeys is the maximum number of subscribers' keys for one list.
const MaxKeys = 4096

// Keys implements [note.Verifiers].
var _ note.Verifiers = Keys(nil)

// Keys maps the names of subscribers to their public keys.
type Keys map[string]note.Verifier

// Verifier implements [note.Verifiers].
func (k Keys) Verifier(name string, hash uint32) (note.Verifier, error) {
	if v, ok := k[name]; ok && v.KeyHash() == hash {
		return v, nil
	}
	return nil, &note.UnknownVerifierError{Name: name, KeyHash: hash}
}

// ParseKeys reads public keys as text, one per line, as 'blocklist keygen' writes them. Names must be unique.
func ParseKeys(text string) (Keys, error) {
	decoded, err := utf8text.Decode([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("keys of subscribers: %w", err)
	}
	keys := Keys{}
	for line := range strings.Lines(string(decoded)) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		v, err := ParseKey(line)
		if err != nil {
			return nil, err
		}
		if _, twice := keys[v.Name()]; twice {
			return nil, fmt.Errorf("keys of subscribers: %w: two are named %q", blocklist.ErrMalformed, v.Name())
		}
		keys[v.Name()] = v
		if len(keys) > MaxKeys {
			return nil, fmt.Errorf("keys of subscribers: %w: more than %d", blocklist.ErrTooLarge, MaxKeys)
		}
	}
	return keys, nil
}

// ParseKey reads one public key.
func ParseKey(line string) (note.Verifier, error) {
	key, err := notekey.Parse(line)
	if err != nil {
		return nil, err
	}
	return note.NewVerifier(key.String())
}

// ParseSigner reads a subscriber's private key: the content of a key file without passphrase.
func ParseSigner(text string) (note.Signer, error) {
	decoded, err := utf8text.Decode([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("receipt key: %w", err)
	}
	text = strings.TrimSpace(string(decoded))
	if strings.HasPrefix(text, "-----BEGIN AGE ENCRYPTED FILE") {
		return nil, fmt.Errorf("receipt key: %w: it has a passphrase, which no one is there to type; make one with 'blocklist keygen --no-passphrase'",
			blocklist.ErrMalformed)
	}
	if _, _, err := notekey.ParsePrivate(text); err != nil {
		return nil, fmt.Errorf("receipt key: %w", err)
	}
	return note.NewSigner(text)
}
