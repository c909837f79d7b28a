package publish

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// adoption is the parsed reference of a recovery ([KindRecover]), an operation that brings the ledger to the state of a
// signed release. The ledger may lack the operations that led to that state. In this case the recovery stands in their
// place, and the next release continues from the recovery.
type adoption struct {
	serial uint64
	head   string // hash of the release's last operation, from the signed metadata of the release
	before string // hash of the operation before the recovery, which a signing request does not contain
}

const adoptionFormat = "serial %d head %s before %s"

func (a adoption) String() string { return fmt.Sprintf(adoptionFormat, a.serial, a.head, a.before) }

// what returns the serial and the ledger head of the adopted release, written as in the reference of the recovery.
func (a adoption) what() string { return fmt.Sprintf("serial %d head %s", a.serial, a.head) }

// adoptionOf parses the reference of a recovery. It returns false for an operation of any other kind.
func adoptionOf(o Operation) (a adoption, ok bool) {
	if o.Kind != KindRecover {
		return a, false
	}
	_, err := fmt.Sscanf(o.Reference, adoptionFormat, &a.serial, &a.head, &a.before)
	return a, err == nil && a.String() == o.Reference
}

// adopts reports whether o is a recovery that has adopted the signed release: the reference of o names the serial and
// the head of the release, and o has recorded the release's digest and number of entries.
func adopts(o Operation, signed trust.Release) bool {
	a, ok := adoptionOf(o)
	return ok && a.serial == signed.Serial && a.head == signed.Ledger && o.Hash == o.LinkHash(a.before) &&
		o.Digest == signed.Digest && o.Entries == signed.Entries
}

// adoptionOfHead returns the newest recovery that has adopted a release with this ledger head. It fails with
// [sql.ErrNoRows] if there is none.
func (l *Ledger) adoptionOfHead(ctx context.Context, head string) (at Operation, err error) {
	err = sql.ErrNoRows
	for o, opErr := range l.history.Operations(ctx, ledger.Range{Kinds: []string{KindRecover}}) {
		if opErr != nil {
			return at, opErr
		}
		if a, ok := adoptionOf(o); ok && a.head == head {
			at, err = o, nil
		}
	}
	return at, err
}

// signedHead returns the operation with the hash that a release's metadata names as the ledger head. If the ledger has
// no such operation, it returns the recovery ([KindRecover]) that has adopted the release. It fails with
// [sql.ErrNoRows] if there is no recovery either.
func (l *Ledger) signedHead(ctx context.Context, head string) (Operation, error) {
	at, err := l.history.OperationByHash(ctx, head)
	if errors.Is(err, sql.ErrNoRows) {
		return l.adoptionOfHead(ctx, head)
	}
	return at, err
}

// unknownHead reports whether a recovery has adopted the release r, because the ledger lacks the operations that led to
// r.
func (l *Ledger) unknownHead(ctx context.Context, r ReleaseRecord) (bool, error) {
	o, err := l.history.OperationByID(ctx, r.Operation)
	return o.Hash != r.Head, err
}
