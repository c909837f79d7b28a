package publish

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
)

// Seen records the last release and the last root of a list that an officer has signed on this machine. With it the
// officer notices a rollback of the ledger, or a ledger that shows two officers two histories. The zero value is that
// of a new officer.
type Seen struct {
	Serial uint64    `json:"serial,omitempty"` // of the release
	SHA256 string    `json:"sha256,omitempty"` // of its signed part
	Signed time.Time `json:"signed,omitzero"`  // when the release was signed
	Root   int64     `json:"root,omitempty"`   // version of the root
	RootID string    `json:"root_id,omitempty"`
}

// CheckSeen fails with [blocklist.ErrRollback] if the officer has already signed a newer release or root. It fails with
// [blocklist.ErrUntrusted] if the officer has signed another one with the same number, or if the request follows
// another release than the officer has signed.
func (q *Request) CheckSeen(last Seen) error {
	p := q.pending
	if p.Root > 0 {
		return checkSeenNumber("root", uint64(p.Root), p.root.ID(), uint64(last.Root), last.RootID, last.Signed)
	}
	id, err := signedID(p.metadata)
	if err == nil {
		err = checkSeenNumber("serial", p.Serial, id, last.Serial, last.SHA256, last.Signed)
	}
	if err != nil || last.Serial == 0 || p.Serial != last.Serial+1 {
		return err
	}
	before, err := q.folder.signedBefore(p)
	if err != nil {
		return err
	}
	if id, err = signedID(before.metadata); err == nil && id != last.SHA256 {
		err = fmt.Errorf("%w: serial %d, on which this rests, is not the one that you signed on %s: the list has two histories", blocklist.ErrUntrusted,
			last.Serial, last.Signed.Format(time.DateOnly))
	}
	return err
}

func checkSeenNumber(what string, number uint64, id string, last uint64, lastID string, at time.Time) error {
	switch {
	case number < last:
		return fmt.Errorf("%w: you have signed %s %d already, on %s; this is %s %d: the ledger has gone back",
			blocklist.ErrRollback, what, last,
			at.Format(time.DateOnly), what, number)
	case number == last && id != lastID:
		return fmt.Errorf("%w: you have signed another %s %d, on %s; if that was not pushed, it was made again",
			blocklist.ErrUntrusted, what, last,
			at.Format(time.DateOnly))
	}
	return nil
}

// Seen returns last, updated with the requested release or root, to be stored once the request is signed.
func (q *Request) Seen(last Seen) (Seen, error) {
	p := q.pending
	last.Signed = time.Now().UTC().Truncate(time.Second)
	if p.Root > 0 {
		last.Root, last.RootID = p.Root, p.root.ID()
		return last, nil
	}
	var err error
	last.Serial = p.Serial
	last.SHA256, err = signedID(p.metadata)
	return last, err
}

// signedID returns the SHA-256 of the part of the metadata that signatures cover.
func signedID(metadata []byte) (string, error) {
	var d digester
	_, err := tuf.Sign(metadata, &d)
	return d.sum, err
}

// digester is a signer that does not sign. It stores the SHA-256 of the message.
type digester struct{ sum string }

func (d *digester) Public() crypto.PublicKey { return make(ed25519.PublicKey, ed25519.PublicKeySize) }

func (d *digester) Sign(_ io.Reader, message []byte, _ crypto.SignerOpts) ([]byte, error) {
	sum := sha256.Sum256(message)
	d.sum = hex.EncodeToString(sum[:])
	return nil, nil
}
