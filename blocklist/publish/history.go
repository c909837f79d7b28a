package publish

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
)

// PendingOperations yields the operations that the pending release p adds to the last release: who changed what, and
// why. It verifies the hash chain of these operations, from the signed head of the last release to the head that p's
// signatures cover. It also verifies that the ledger had p's number of entries and digest at that head. The last value
// may be an error.
func (l *Ledger) PendingOperations(ctx context.Context, p *Pending) iter.Seq2[Operation, error] {
	return func(yield func(Operation, error) bool) {
		if err := l.pendingOperations(ctx, p, func(o Operation) bool { return yield(o, nil) }); err != nil {
			yield(Operation{}, err)
		}
	}
}

func (l *Ledger) pendingOperations(ctx context.Context, p *Pending, yield func(Operation) bool) error {
	if err := p.checkRelease(); err != nil {
		return err
	}
	at, err := l.headBefore(ctx, p)
	if err != nil {
		return err
	}
	if _, recovered := adoptionOf(at); recovered && !yield(at) { // the officers have not seen it
		return nil
	}
	return p.follow(at, l.history.Operations(ctx, ledger.Range{After: at.ID}), yield)
}

// follow yields the given operations up to the head that p's signatures cover, and verifies their hash chain. The
// argument previous is the operation before the first of them. follow fails if the ledger's number of entries or digest
// at that head is not that of p. It also fails if a serial between the previous release and p has no operation that
// records it as skipped.
func (p *Pending) follow(previous Operation, operations iter.Seq2[Operation, error], yield func(Operation) bool) error {
	skipped := p.base
	if previous.Hash == p.Ledger { // nothing has happened since a recovery
		return p.isOf(previous, skipped)
	}
	for o, err := range operations {
		if err != nil {
			return err
		}
		if o.ID != previous.ID+1 || o.Hash != o.LinkHash(previous.Hash) {
			return ledger.Damaged("operation %d is not what was recorded, or not chained to operation %d", o.ID, previous.ID)
		}
		if !yield(o) {
			return nil
		}
		if s, ok := skippedBy(o); ok && s.Serial == skipped+1 {
			skipped++
		}
		if o.Hash == p.Ledger {
			return p.isOf(o, skipped)
		}
		previous = o
	}
	return ledger.Damaged("the history does not lead to the head of %s", p.What())
}

// isOf fails if the number of entries or the digest of p is not what the list has after o. It also fails if the serial
// of p is not the next one after the argument skipped: the newest serial that was published or skipped.
func (p *Pending) isOf(o Operation, skipped uint64) error {
	if p.Serial != skipped+1 {
		return fmt.Errorf("%w: %s follows serial %d, and no operation skips serial %d; blocklist refuse drops it, blocklist release makes it again",
			blocklist.ErrUntrusted, p.What(), p.base, skipped+1)
	}
	if p.Digest == o.Digest && p.Entries == o.Entries {
		return nil
	}
	return fmt.Errorf("%w: what is pending has %d entries and digest %.12s; its history leads to %d and %.12s: it was exchanged; blocklist refuse drops it, blocklist release makes it again",
		blocklist.ErrUntrusted, p.Entries, p.Digest, o.Entries, o.Digest)
}

// checkHistory proves that the pending release makes the changes of its operations, and no others. Comparing digests
// alone would not prove this: an attacker who controls the agency's machine can forge them.
func (l *Ledger) checkHistory(ctx context.Context, p *Pending) error {
	before, err := l.headBefore(ctx, p)
	if err != nil {
		return err
	}
	at := before.ID
	for o, err := range l.PendingOperations(ctx, p) {
		if err != nil {
			return err
		}
		at = o.ID
	}
	return l.checkChanges(p, l.history.Changes(ctx, before.ID, at))
}

// checkChanges fails unless the files of a pending release make exactly the recorded changes. [folder.Review] proves
// that these files lead to the digest and the number of entries in the metadata of the release.
func (d folder) checkChanges(p *Pending, changes iter.Seq2[blocklist.Change, error]) error {
	recorded, err := hashChanges(changes)
	if err != nil {
		return err
	}
	pending, err := hashChanges(d.Review(p))
	if err == nil && pending != recorded {
		err = fmt.Errorf("%w: what is pending makes other changes than the history that it claims: it was exchanged; blocklist refuse drops it, blocklist release makes it again", blocklist.ErrUntrusted)
	}
	return err
}

// headBefore returns the last operation of the release before p, or the recovery ([KindRecover]) that has adopted that
// release. It verifies that the officers have signed the release. If p is the first release, the result has only a
// hash: the one with which the hash chain begins.
func (l *Ledger) headBefore(ctx context.Context, p *Pending) (at Operation, err error) {
	if err := l.checkBase(ctx, p); err != nil {
		return at, err
	}
	if p.base == 0 {
		at.Hash = ledger.InitialHash(l.list)
		return at, nil
	}
	before, err := l.signedBefore(p)
	if err != nil {
		return at, err
	}
	signed := before.targets.Newest()
	at, err = l.signedHead(ctx, signed.Ledger)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return at, ledger.Damaged("the operation with hash %.12s, the head of serial %d, is missing", signed.Ledger, signed.Serial)
	case err == nil && at.Hash != signed.Ledger && !adopts(at, signed):
		return at, ledger.Damaged("operation %d, the recovery of serial %d, is not what was recorded, or has another state", at.ID, signed.Serial)
	}
	return at, err
}
