package publish

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// adoption is what an operation of [KindRecover] states in its reference: the ledger was brought to the state that was
// signed with a serial. The operations that led to that state may be unknown. Then the operation stands in their place,
// and the next release continues the history from it.
type adoption struct {
	serial uint64
	head   string // signed with the serial: the hash of the last operation in it
	before string // hash of the operation before this one, which a signing request does not have
}

const adoptionFormat = "serial %d head %s before %s"

func (a adoption) String() string { return fmt.Sprintf(adoptionFormat, a.serial, a.head, a.before) }

// what returns the adopted serial and ledger head as text.
func (a adoption) what() string { return fmt.Sprintf("serial %d head %s", a.serial, a.head) }

// adoptionOf returns what a recovery has adopted, and false for other operations.
func adoptionOf(o Operation) (a adoption, ok bool) {
	if o.Kind != KindRecover {
		return a, false
	}
	_, err := fmt.Sscanf(o.Reference, adoptionFormat, &a.serial, &a.head, &a.before)
	return a, err == nil && a.String() == o.Reference
}

// adopts reports whether the operation stands for the signed release. Such an operation names serial and head, and has
// the signed number of entries and the signed digest.
func adopts(o Operation, signed trust.Release) bool {
	a, ok := adoptionOf(o)
	return ok && a.serial == signed.Serial && a.head == signed.Ledger && o.Hash == o.LinkHash(a.before) &&
		o.Digest == signed.Digest && o.Entries == signed.Entries
}

// adoptionOfHead returns the newest recovery that has adopted the state of the signed head. It fails with
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

// signedHead returns the operation with the state of the signed head: the operation with this hash, or else the
// recovery that stands in its place. It fails with [sql.ErrNoRows] if there is neither.
func (l *Ledger) signedHead(ctx context.Context, head string) (Operation, error) {
	at, err := l.history.OperationByHash(ctx, head)
	if errors.Is(err, sql.ErrNoRows) {
		return l.adoptionOfHead(ctx, head)
	}
	return at, err
}

// unknownHead reports whether a recovery stands in the place of the operations that led to a release.
func (l *Ledger) unknownHead(ctx context.Context, r ReleaseRecord) (bool, error) {
	o, err := l.history.OperationByID(ctx, r.Operation)
	return o.Hash != r.Head, err
}
