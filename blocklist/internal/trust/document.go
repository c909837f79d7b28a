package trust

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/notekey"
)

// document is any metadata: a signed part, kept as it was read, and signatures over its canonical form.
type document struct {
	Signed     json.RawMessage      `json:"signed"`
	Signatures []metadata.Signature `json:"signatures"`
}

// parseDocument reads metadata of at most limit bytes in the one way there is to read it.
func parseDocument(what string, b []byte, limit int) (d document, err error) {
	if len(b) > limit {
		return d, fmt.Errorf("%s: %w: %d bytes, the limit is %d", what, blocklist.ErrTooLarge, len(b), limit)
	}
	if err = checkJSON(b); err == nil {
		err = json.Unmarshal(b, &d)
	}
	if err == nil && (len(d.Signed) == 0 || d.Signed[0] != '{') {
		err = fmt.Errorf("there is no signed part")
	}
	if err != nil {
		return d, malformed(what, "%v", err)
	}
	return d, nil
}

// parseRole reads metadata of one role. go-tuf dereferences what null leaves empty, so the plain check comes first.
func parseRole[T metadata.Roles](what string, b []byte, limit int) (*metadata.Metadata[T], error) {
	if _, err := parseDocument(what, b, limit); err != nil {
		return nil, err
	}
	m, err := (&metadata.Metadata[T]{}).FromBytes(b)
	if err != nil {
		return nil, malformed(what, "%v", err)
	}
	return m, nil
}

// payload returns the bytes that signatures cover.
func (d document) payload() ([]byte, error) {
	b, err := cjson.EncodeCanonical(d.Signed)
	if err != nil {
		return nil, malformed("signed part", "%v", err)
	}
	return b, nil
}

// signedBy reports whether the key's signature over payload is valid: the first one, so that no document costs more than one
// verification a key.
func (d document) signedBy(k notekey.Key, payload []byte) bool {
	id, err := keyID(k.Public)
	if err != nil {
		return false
	}
	for _, s := range d.Signatures {
		if s.KeyID == id {
			return ed25519.Verify(k.Public, payload, s.Signature)
		}
	}
	return false
}

// signedSum identifies what a document says, whoever signed it: the SHA-256 of its signed part, hexadecimal.
func signedSum(what string, b []byte, limit int) (string, error) {
	d, err := parseDocument(what, b, limit)
	if err != nil {
		return "", err
	}
	payload, err := d.payload()
	return fmt.Sprintf("%x", sha256.Sum256(payload)), err
}

// Sign returns the metadata, of any role, with the signature of an ed25519 signer added, or replaced where it had signed
// before. The signed part stays as it is.
func Sign(doc []byte, s crypto.Signer) ([]byte, error) {
	d, err := parseDocument("metadata", doc, MaxTargets)
	if err != nil {
		return nil, err
	}
	public, ok := s.Public().(ed25519.PublicKey)
	if !ok {
		return nil, malformed("signing", "an ed25519 key is needed, not %T", s.Public())
	}
	id, err := keyID(public)
	if err != nil {
		return nil, err
	}
	payload, err := d.payload()
	if err != nil {
		return nil, err
	}
	sig, err := s.Sign(rand.Reader, payload, crypto.Hash(0))
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	signatures := []metadata.Signature{}
	for _, old := range d.Signatures {
		if old.KeyID != id {
			signatures = append(signatures, old)
		}
	}
	d.Signatures = append(signatures, metadata.Signature{KeyID: id, Signature: sig})
	return json.Marshal(d)
}

// maxDepth is how deep metadata may be nested.
const maxDepth = 12

// checkJSON refuses what readers understand differently: null, keys that are there twice (in any case of letters),
// keys beyond printable ASCII, anything behind the end.
func checkJSON(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	if err := checkValue(dec, maxDepth); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return fmt.Errorf("something follows the end")
	}
	return nil
}

func checkValue(dec *json.Decoder, depth int) error {
	token, err := dec.Token()
	switch {
	case err != nil:
		return err
	case token == nil:
		return fmt.Errorf("null is not allowed")
	case depth == 0:
		return fmt.Errorf("nested too deep")
	case token == json.Delim('{'):
		return checkObject(dec, depth)
	case token == json.Delim('['):
		for dec.More() {
			if err := checkValue(dec, depth-1); err != nil {
				return err
			}
		}
		_, err = dec.Token()
	}
	return err
}

func checkObject(dec *json.Decoder, depth int) error {
	seen := map[string]bool{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string)
		if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return fmt.Errorf("key %.80q is not plain ASCII", key)
		}
		if key = strings.ToLower(key); seen[key] {
			return fmt.Errorf("key %.80q is there twice", key)
		}
		seen[key] = true
		if err := checkValue(dec, depth-1); err != nil {
			return err
		}
	}
	_, err := dec.Token()
	return err
}
