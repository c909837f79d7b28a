package tuf

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/argine-dns/argine/blocklist"
)

// Document is a signed document of any role. Its form is checked; its signatures are not verified.
type Document struct {
	Raw        []byte // the received bytes
	Version    int64
	Expires    time.Time
	More       map[string]any // unknown fields of the signed part
	Signatures []Object[Signature]

	role   string
	signed []byte // canonical form of the signed part as received; nil: there is none
	// payload returns the canonical form of the parsed signed part, which signatures must cover. Nil: there is none.
	payload func() []byte
}

// envelope is a document with its signed part not yet parsed.
type envelope struct {
	Signed     json.RawMessage     `json:"signed"`
	Signatures []Object[Signature] `json:"signatures"`
	fields     map[string]any      // all fields of the document by their exact names
}

func checkSize(what string, b []byte, limit int) error {
	if len(b) > limit {
		return fail(what, blocklist.ErrTooLarge, "%d bytes, the limit is %d", len(b), limit)
	}
	return nil
}

// openEnvelope checks size and form of a document. The argument what is the document's name, for errors.
func openEnvelope(what string, b []byte, limit int) (e envelope, err error) {
	if err := checkSize(what, b, limit); err != nil {
		return e, err
	}
	decoded, err := decodeStrict(b)
	if err == nil {
		e.fields, _ = decoded.(map[string]any)
		err = json.Unmarshal(b, &e)
	}
	if err != nil {
		err = fmt.Errorf("it is no signed document, which is JSON: %w", err)
	}
	if err == nil && (len(e.Signed) == 0 || e.Signed[0] != '{') {
		err = errors.New("there is no signed part")
	}
	if err != nil {
		return e, Malformed(what, "%v", err)
	}
	return e, nil
}

// fields is a constraint: a pointer to the signed part of a role, which is a struct that embeds [Header].
type fields[T any] interface {
	*T
	header() *Header
}

// parse parses a document of one role.
func parse[T any, P fields[T]](what, role string, b []byte, limit int) (d Document, signed Object[T], err error) {
	e, err := openEnvelope(what, b, limit)
	if err != nil {
		return d, signed, err
	}
	if err := e.checkKeys(role); err != nil {
		return d, signed, Malformed(what, "%v", err)
	}
	if err := json.Unmarshal(e.Signed, &signed); err != nil {
		return d, signed, Malformed(what, "%v", err)
	}
	h := P(&signed.Known).header()
	d = e.document(b)
	d.Version, d.Expires, d.More, d.role = h.Version, h.Expires, signed.More, role
	d.payload = sync.OnceValue(func() []byte {
		b, err := canonicalObject(signed)
		if err != nil {
			return nil
		}
		return b
	})
	switch {
	case d.Version < 1:
		return d, signed, Malformed(what, "version %d", d.Version)
	case d.Expires.IsZero():
		return d, signed, Malformed(what, "there is no expiry")
	}
	return d, signed, nil
}

// checkKeys checks that the document's type is the role, and that no two signatures have the same key identifier.
// Unlike decoding into a struct, it requires the exact spelling of the keys "signed" and "_type".
func (e envelope) checkKeys(role string) error {
	signed, _ := e.fields["signed"].(map[string]any)
	if is, _ := signed["_type"].(string); is != role {
		return fmt.Errorf("the document is of type %.80q, not %q", is, role)
	}
	seen := map[string]bool{}
	for _, s := range e.Signatures {
		if seen[s.Known.KeyID] {
			return fmt.Errorf("multiple signatures for key ID %.80s", s.Known.KeyID)
		}
		seen[s.Known.KeyID] = true
	}
	return nil
}

// document returns a Document with what all roles have: the received bytes, the signatures, and the canonical form of
// the signed part. Its other fields are for the caller to set.
func (e envelope) document(b []byte) Document {
	var signed []byte
	for name, value := range e.fields {
		if strings.EqualFold(name, "signed") { // as encoding/json finds it
			signed, _ = appendCanonical(make([]byte, 0, len(b)), value)
		}
	}
	return Document{Raw: b, Signatures: e.Signatures, signed: signed, payload: func() []byte { return nil }}
}

func canonicalObject[T any](o Object[T]) ([]byte, error) {
	b, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	return canonicalJSON(b)
}

// Sum returns the SHA-256 of the signed part, in hexadecimal. It identifies the content independently of the
// signatures.
func (d *Document) Sum() string { return fmt.Sprintf("%x", sha256.Sum256(d.signed)) }

// Canonical reports whether the signed part as received and its parsed form have the same canonical bytes: known fields
// in their exact spelling and form, numbers without loss. If they differed, a signature could cover either.
func (d *Document) Canonical() bool { return d.signed != nil && bytes.Equal(d.signed, d.payload()) }

// New returns an unsigned document with this signed part.
func New[T any](signed Object[T]) ([]byte, error) {
	return json.Marshal(map[string]any{"signed": signed, "signatures": []any{}})
}

// ParseAny parses a document of any role. It does not parse the fields of the signed part.
func ParseAny(b []byte) (*Document, error) {
	e, err := openEnvelope("metadata", b, MaxTargets)
	if err != nil {
		return nil, err
	}
	d := e.document(b)
	if d.signed == nil {
		return nil, Malformed("signed part", "a number in it has no canonical form")
	}
	return &d, nil
}
