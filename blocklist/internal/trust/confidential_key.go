package trust

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/argine-dns/argine/blocklist/internal/tuf"
)

// ListKey is the secret key of a confidential list, shared by its officers and subscribers. It encrypts the files of
// releases and the confidential parts of the signed metadata. String and LogValue keep it out of logs.
type ListKey []byte

const listKeySize = 32

// NewListKey returns a random key.
func NewListKey() ListKey {
	k := make(ListKey, listKeySize)
	_, _ = rand.Read(k) // it never fails
	return k
}

// ParseListKey parses the output of [ListKey.Text]. Its error does not contain the text.
func ParseListKey(text string) (ListKey, error) {
	k, err := hex.DecodeString(strings.TrimSpace(text))
	if err != nil || len(k) != listKeySize {
		return nil, tuf.Malformed("list key", "it must be %d hexadecimal digits", 2*listKeySize)
	}
	return k, nil
}

// Text returns the key in hexadecimal. This text is also the passphrase of the encrypted files, for the age tool.
func (k ListKey) Text() string { return hex.EncodeToString(k) }

// String returns a placeholder, to keep the key out of logs and errors.
func (k ListKey) String() string { return "(list key)" }

// LogValue returns a placeholder, to keep the key out of logs.
func (k ListKey) LogValue() string { return k.String() }

// ID returns the public identifier of the key in the targets of a list. It reveals nothing about the key.
func (k ListKey) ID(list string) string { return hex.EncodeToString(k.derive("key", list)) }

// derive derives 32 secret bytes from the key, the purpose and the parts. A different purpose or part gives different
// bytes.
func (k ListKey) derive(purpose string, parts ...string) []byte {
	mac := hmac.New(sha256.New, k)
	fmt.Fprintf(mac, "argine-%s\n", purpose)
	for _, part := range parts {
		fmt.Fprintf(mac, "%s\n", part)
	}
	return mac.Sum(nil)
}
