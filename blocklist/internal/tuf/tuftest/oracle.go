// Package tuftest wraps go-tuf, the reference implementation of The Update Framework, as an oracle: tests compare its
// verdicts with those of packages tuf and trust. No program imports it.
package tuftest

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"

	"github.com/argine-dns/argine/blocklist"
)

// Chain has the documents that a client trusts, the documents that it receives, and its clock. The chain ends at the
// first nil document. If Timestamp is nil, Targets are verified by the root alone.
type Chain struct {
	Root  []byte   // the trusted root
	Roots [][]byte // successors of Root

	HeldTimestamp, HeldSnapshot  []byte
	Timestamp, Snapshot, Targets []byte

	Now time.Time
}

// Verdict verifies the chain with go-tuf. It returns nil or the first error, as a sentinel of package blocklist. The
// function strict fails for a document that parsers could interpret differently; go-tuf does not check that.
func (c Chain) Verdict(strict func([]byte) error) error {
	for _, b := range append([][]byte{c.Root}, c.Roots...) {
		if err := checkForm[metadata.RootType](b, strict); err != nil {
			return err
		}
	}
	tuf, err := trustedmetadata.New(c.Root)
	if err != nil {
		return classify(err)
	}
	for _, b := range c.Roots {
		if _, err := tuf.UpdateRoot(b); err != nil {
			return classify(err)
		}
	}
	switch {
	case c.Timestamp == nil && c.Targets == nil:
		return nil
	case c.Timestamp == nil:
		return c.targets(tuf.Root, strict)
	}
	tuf.RefTime = c.Now
	return c.update(tuf, strict)
}

// targets verifies the targets with the root's keys alone, without timestamp and snapshot.
func (c Chain) targets(root *metadata.Metadata[metadata.RootType], strict func([]byte) error) error {
	if err := checkForm[metadata.TargetsType](c.Targets, strict); err != nil {
		return err
	}
	targets, err := metadata.Targets().FromBytes(c.Targets)
	if err != nil {
		return malformed(err)
	}
	return classify(root.VerifyDelegate(metadata.TARGETS, targets))
}

func (c Chain) update(tuf *trustedmetadata.TrustedMetadata, strict func([]byte) error) error {
	if len(c.HeldTimestamp) > 0 {
		if err := checkIndex[metadata.TimestampType](c.HeldTimestamp, strict); err != nil {
			return err
		}
		_, _ = tuf.UpdateTimestamp(c.HeldTimestamp) // expired, or of another root's key
	}
	if err := checkIndex[metadata.TimestampType](c.Timestamp, strict); err != nil {
		return err
	}
	_, err := tuf.UpdateTimestamp(c.Timestamp)
	if errors.Is(err, &metadata.ErrEqualVersionNumber{}) { // the held one stays
		err = nil
		if c.Now.After(tuf.Timestamp.Signed.Expires) {
			return blocklist.ErrExpired
		}
	}
	if err != nil {
		return classify(err)
	}
	if c.Snapshot == nil {
		return nil
	}
	if err := checkIndex[metadata.SnapshotType](c.Snapshot, strict); err != nil {
		return err
	}
	if checkIndex[metadata.SnapshotType](c.HeldSnapshot, strict) == nil {
		_, _ = tuf.UpdateSnapshot(c.HeldSnapshot, true)
	}
	if _, err := tuf.UpdateSnapshot(c.Snapshot, false); err != nil {
		return classifyReferred(err, c.Snapshot, tuf.Timestamp.Signed.Meta["snapshot.json"])
	}
	if c.Targets == nil {
		return nil
	}
	if err := checkForm[metadata.TargetsType](c.Targets, strict); err != nil {
		return err
	}
	_, err = tuf.UpdateTargets(c.Targets)
	return classifyReferred(err, c.Targets, tuf.Snapshot.Signed.Meta["targets.json"])
}

// classifyReferred is classify for a document that another document references. If its version is not the referenced
// one, the attack is mix-and-match rather than rollback: the error wraps [blocklist.ErrUntrusted].
func classifyReferred(err error, doc []byte, to *metadata.MetaFiles) error {
	var d struct {
		Signed struct{ Version int64 }
	}
	if err != nil && json.Unmarshal(doc, &d) == nil && d.Signed.Version != to.Version {
		return fmt.Errorf("%w: %w", blocklist.ErrUntrusted, err)
	}
	return classify(err)
}

// checkForm checks the form of a document, which go-tuf leaves to its callers.
func checkForm[T metadata.Roles](b []byte, strict func([]byte) error) error {
	if err := strict(b); err != nil {
		return malformed(err)
	}
	m, err := (&metadata.Metadata[T]{}).FromBytes(b)
	if err != nil {
		return malformed(err)
	}
	version, expires, _ := header(any(&m.Signed))
	if version < 1 || expires.IsZero() {
		return malformed(errors.New("version or expiry"))
	}
	return nil
}

// checkIndex is checkForm for a timestamp or snapshot: it also checks its reference to the snapshot or to the targets.
func checkIndex[T metadata.Roles](b []byte, strict func([]byte) error) error {
	if err := checkForm[T](b, strict); err != nil {
		return err
	}
	m, err := (&metadata.Metadata[T]{}).FromBytes(b)
	if err != nil {
		return malformed(err)
	}
	_, _, next := header(any(&m.Signed))
	if next == nil || next.Version < 1 || next.Length < 0 {
		return malformed(errors.New("it names no next document"))
	}
	if next.Length > 256<<10 || next.Length > 16<<10 && next.Limit16 {
		return blocklist.ErrTooLarge
	}
	return nil
}

// next is the reference from a timestamp to the snapshot, or from a snapshot to the targets, and the limit on the
// length of the referenced document.
type next struct {
	*metadata.MetaFiles

	Limit16 bool // whether the limit is 16 KiB, instead of 256 KiB
}

func header(signed any) (version int64, expires time.Time, to *next) {
	switch s := signed.(type) {
	case *metadata.RootType:
		return s.Version, s.Expires, nil
	case *metadata.TargetsType:
		return s.Version, s.Expires, nil
	case *metadata.TimestampType:
		if m := s.Meta["snapshot.json"]; m != nil {
			to = &next{m, true}
		}
		return s.Version, s.Expires, to
	case *metadata.SnapshotType:
		if m := s.Meta["targets.json"]; m != nil {
			to = &next{m, false}
		}
		return s.Version, s.Expires, to
	}
	return 0, time.Time{}, nil
}

// Classes of verdicts.
const (
	accepted = "accepted"
	expired  = "expired"
	rollback = "rollback"
	refused  = "refused"
)

// Class returns the class of a verdict. A document that can't be read has the same class as a document without enough
// signatures: refused.
func Class(err error) string {
	switch {
	case err == nil:
		return accepted
	case errors.Is(err, blocklist.ErrExpired):
		return expired
	case errors.Is(err, blocklist.ErrRollback):
		return rollback
	}
	return refused
}

func malformed(err error) error { return fmt.Errorf("%w: %w", blocklist.ErrMalformed, err) }

func classify(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, &metadata.ErrExpiredMetadata{}):
		return fmt.Errorf("%w: %w", blocklist.ErrExpired, err)
	case errors.Is(err, &metadata.ErrBadVersionNumber{}):
		return fmt.Errorf("%w: %w", blocklist.ErrRollback, err)
	}
	return fmt.Errorf("%w: %w", blocklist.ErrUntrusted, err)
}
