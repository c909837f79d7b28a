package publish

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/argine-dns/argine/blocklist/internal/notekey"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/utf8text"
)

// Fingerprint returns the fingerprint of the public object in a file, for people to compare by voice: 24 hexadecimal
// digits in groups of four. The argument text is the content of the file: a root; the public key of an officer, of an
// origin, or of a subscriber for its receipts; or the age recipient of a subscriber. The fingerprint depends neither on
// the signatures of a root nor on the name of a key. For any other content, even a private key, Fingerprint fails with
// [blocklist.ErrMalformed].
func Fingerprint(text []byte) (string, error) {
	text, err := utf8text.Decode(text)
	if err != nil {
		return "", err
	}
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		root, err := trust.ParseRoot(text)
		if err != nil {
			return "", err
		}
		return rootFingerprint(root), nil
	}
	if bytes.HasPrefix(text, []byte("age1")) || bytes.Contains(text, []byte("\nage1")) {
		to, err := trust.ParseRecipient(string(text))
		return recipientFingerprint(to), err
	}
	key, err := notekey.Parse(string(text))
	return keyFingerprint(key), err
}

func rootFingerprint(root *trust.Root) string { return inGroups(root.ID()) }

func keyFingerprint(key notekey.Key) string { return fingerprintOf(key.Public) }

func recipientFingerprint(to trust.Recipient) string { return fingerprintOf([]byte(to.String())) }

func fingerprintOf(b []byte) string {
	sum := sha256.Sum256(b)
	return inGroups(hex.EncodeToString(sum[:]))
}

// inGroups returns the first 96 bits of a SHA-256 digest in groups of four hexadecimal digits. The argument has the
// digest in hexadecimal digits.
//
// An attacker needs a second preimage: another root or key with the fingerprint that an honest person reads out. That
// takes 2^96 attempts: many years for all computers that mine with SHA-256 today. With 80 bits it would take them an
// hour. Collisions take 2^48 attempts, but are useless: an attacker who makes both keys has both anyway.
func inGroups(digest string) string {
	const groups, digits = 6, 4
	var all []string
	for i := range groups {
		all = append(all, digest[digits*i:digits*(i+1)])
	}
	return strings.Join(all, " ")
}

// Key is the name and the fingerprint of a public key.
type Key struct {
	Name        string `json:"name"`
	Fingerprint string `json:"fingerprint"`
	Text        string `json:"key"` // the public key as text, the content of a .pub file
}

// String returns the name and the fingerprint.
func (k Key) String() string { return k.Name + " (" + k.Fingerprint + ")" }

func describeKey(k notekey.Key) Key { return Key{k.Name, keyFingerprint(k), k.String()} }

func describeKeys(keys []notekey.Key) []Key {
	all := make([]Key, len(keys))
	for i, k := range keys {
		all[i] = describeKey(k)
	}
	return all
}
