// Package notekey parses and formats ed25519 keys in the text form of signed notes (golang.org/x/mod/sumdb/note).
// Officers, origins and subscribers store their keys in this form.
package notekey

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/mod/sumdb/note"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/utf8text"
)

// maxKeyName is the maximum length of the name of a key's holder, in bytes.
const maxKeyName = 64

// Key is a public ed25519 key with the name of its holder. Its text form is a verifier key of signed notes,
// name+hash+base64.
type Key struct {
	Name   string
	Public ed25519.PublicKey
}

// Parse parses the text form of a public key: one line. White space around it and a byte order mark are ignored. It
// fails with [blocklist.ErrMalformed], also for a private key.
func Parse(text string) (Key, error) {
	decoded, err := utf8text.Decode([]byte(text))
	if err != nil {
		return Key{}, fmt.Errorf("public key: %w", err)
	}
	text = strings.TrimSpace(string(decoded))
	if err := CheckPublic(text); err != nil {
		return Key{}, fmt.Errorf("public key: %w", err)
	}
	if len(text) > 1024 || strings.ContainsFunc(text, unicode.IsSpace) {
		return Key{}, malformed("public key", "it must be one line of the form name+hash+base64")
	}
	v, err := note.NewVerifier(text)
	if err != nil {
		return Key{}, malformed("public key", "%v; it must be one line of the form name+hash+base64", err)
	}
	parts := strings.SplitN(text, "+", 3) // base64 may contain plus signs
	b, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(b) != 1+ed25519.PublicKeySize {
		return Key{}, malformed("public key", "it is not an ed25519 key")
	}
	k := Key{Name: v.Name(), Public: b[1:]}
	return k, k.Check()
}

// CheckPublic fails with [blocklist.ErrMalformed] if a text is a private key: of an officer, an origin or a subscriber.
func CheckPublic(text string) error {
	for _, mark := range []string{"PRIVATE+KEY+", "AGE ENCRYPTED FILE", "AGE-SECRET-KEY-"} {
		if strings.Contains(text, mark) {
			return fmt.Errorf("%w: this is a private key; keep it secret and give the .pub file instead", blocklist.ErrMalformed)
		}
	}
	return nil
}

// String returns the text form, or "" for an invalid key.
func (k Key) String() string {
	text, err := note.NewEd25519VerifierKey(k.Name, k.Public)
	if err != nil {
		return ""
	}
	return text
}

// ParsePrivate parses a private key of signed notes, PRIVATE+KEY+name+hash+base64. Its error does not contain the key.
func ParsePrivate(text string) (Key, ed25519.PrivateKey, error) {
	decoded, err := utf8text.Decode([]byte(text))
	if err != nil {
		return Key{}, nil, fmt.Errorf("private key: %w", err)
	}
	text = strings.TrimSpace(string(decoded))
	if _, err := note.NewSigner(text); err != nil {
		return Key{}, nil, malformed("private key", "it must be one line of the form PRIVATE+KEY+name+hash+base64")
	}
	parts := strings.SplitN(text, "+", 5)
	b, err := base64.StdEncoding.DecodeString(parts[4])
	if err != nil || len(b) != 1+ed25519.SeedSize {
		return Key{}, nil, malformed("private key", "it is not an ed25519 key")
	}
	private := ed25519.NewKeyFromSeed(b[1:])
	k := Key{Name: parts[2], Public: private.Public().(ed25519.PublicKey)}
	return k, private, k.Check()
}

// Check fails with [blocklist.ErrMalformed] if the name is not safe for the text form, error messages and logs, or if
// the key has the wrong length.
func (k Key) Check() error {
	bad := func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) || r == '+' }
	if k.Name == "" || len(k.Name) > maxKeyName || strings.ToValidUTF8(k.Name, "") != k.Name ||
		strings.ContainsFunc(k.Name, bad) {
		return malformed("key", "the name %.80q must have 1 to %d bytes without spaces and plus signs", k.Name, maxKeyName)
	}
	if len(k.Public) != ed25519.PublicKeySize {
		return malformed("key "+k.Name, "an ed25519 key has %d bytes", ed25519.PublicKeySize)
	}
	return nil
}

// Equal reports whether k and the other key are the same public key. It ignores the names.
func (k Key) Equal(other Key) bool { return bytes.Equal(k.Public, other.Public) }

func malformed(what, why string, args ...any) error {
	return fmt.Errorf("%s: %w: %s", what, blocklist.ErrMalformed, utf8text.Plain(fmt.Sprintf(why, args...)))
}
