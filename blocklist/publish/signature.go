package publish

import (
	"crypto"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/notekey"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
)

// MaxSignature is the maximum length of a signature file, in bytes.
const MaxSignature = 16 << 10

// detached is the content of a signature file: one officer's signature, and which document it is for.
type detached struct {
	Type      string `json:"_type"`
	List      string `json:"list"`
	Root      int64  `json:"root,omitempty"`
	Serial    uint64 `json:"serial,omitempty"`
	Urgent    int64  `json:"urgent,omitempty"` // number of the urgent orders; 0: not urgent orders
	Key       string `json:"key"`              // the officer's public key
	Signature []byte `json:"signature"`
}

const detachedType = "argine-signature"

// detachedSignature signs p, and returns the content of a signature file.
func (p *Pending) detachedSignature(officer crypto.Signer) ([]byte, error) {
	recorder := &recordingSigner{Signer: officer}
	if _, err := tuf.Sign(p.metadata, recorder); err != nil {
		return nil, err
	}
	key := notekey.Key{Name: "officer", Public: officer.Public().(ed25519.PublicKey)} // CheckSigner has verified the type
	text, err := json.MarshalIndent(detached{detachedType, p.List, p.Root, p.Serial, p.Number, key.String(), recorder.signature}, "", "  ")
	return append(text, '\n'), err
}

// recordingSigner is a signer that stores its last signature.
type recordingSigner struct {
	crypto.Signer
	signature []byte
}

func (s *recordingSigner) Sign(rand io.Reader, message []byte, opts crypto.SignerOpts) (signature []byte, err error) {
	s.signature, err = s.Signer.Sign(rand, message, opts)
	return s.signature, err
}

// errOtherMessage is returned for a signature that is not valid for the pending metadata.
var errOtherMessage = fmt.Errorf("%w: it is no signature of what is pending", blocklist.ErrUntrusted)

// errOtherDocument is returned for a signature of another document than the pending one.
var errOtherDocument = fmt.Errorf("%w", blocklist.ErrUntrusted)

// givenSignature is a signer that returns an existing signature. It fails for a message for which that signature is not
// valid.
type givenSignature struct {
	public    ed25519.PublicKey
	signature []byte
}

func (s givenSignature) Public() crypto.PublicKey { return s.public }

func (s givenSignature) Sign(_ io.Reader, message []byte, _ crypto.SignerOpts) ([]byte, error) {
	if !ed25519.Verify(s.public, message, s.signature) {
		return nil, errOtherMessage
	}
	return s.signature, nil
}

// isOf reports whether the signature file names p as the signed document.
func (s detached) isOf(p *Pending) bool {
	return s.List == p.List && s.Root == p.Root && s.Serial == p.Serial && s.Urgent == p.Number
}

func parseDetached(b []byte) (s detached, err error) {
	if len(b) > MaxSignature {
		return s, fmt.Errorf("reading a signature: %w: more than %d bytes", blocklist.ErrTooLarge, MaxSignature)
	}
	if err := json.Unmarshal(b, &s); err != nil || s.Type != detachedType || len(s.Signature) != ed25519.SignatureSize {
		return s, fmt.Errorf("reading a signature: %w: it is no file of blocklist sign -o", blocklist.ErrMalformed)
	}
	return s, nil
}

func (s detached) what() string {
	return (&Pending{List: s.List, Root: s.Root, Serial: s.Serial, Number: s.Urgent}).What()
}
