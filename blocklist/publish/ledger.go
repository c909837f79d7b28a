package publish

import (
	"context"
	"iter"
	"math"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
)

// Ledger is the history of a list, and the folder that it lives in.
type Ledger struct {
	folder
	history *ledger.Ledger
}

// Audit says who changes the ledger, and why: Author, which is needed, Reason, and Reference, the order or decision behind it.
// Override, of Add and Import, says why entries are taken that the guards hold; empty: they are not. Each is one line of at most
// 4 KiB.
type Audit = ledger.Audit

// Operation is one step in the history of the list. Its Hash covers all its other fields and the hash of the operation before;
// its counts are of lines: a changed attribute is a line that went and one that came.
type Operation = ledger.Operation

// ReleaseRecord says which Operation of the ledger a Serial was made from, by its number and its hash (Head), and when it was
// Pushed.
type ReleaseRecord = ledger.ReleaseRecord

// ErrNotListed is returned when what is to be removed is not on the list in that scope.
var ErrNotListed = ledger.ErrNotListed

// Kinds of operations.
const (
	KindInit        = ledger.KindInit
	KindAdd         = ledger.KindAdd
	KindRemove      = ledger.KindRemove
	KindImport      = ledger.KindImport
	KindExpire      = ledger.KindExpire      // entries past their expiry are taken out when a release is made
	KindPush        = ledger.KindPush        // a release was pushed
	KindRoot        = ledger.KindRoot        // a new root was made, for the officers to sign
	KindRefuse      = ledger.KindRefuse      // what was pending was dropped
	KindUrgent      = ledger.KindUrgent      // one officer has ordered something alone
	KindTakedown    = ledger.KindTakedown    // checks were recorded of which pages are still there
	KindSubscribe   = ledger.KindSubscribe   // a subscriber of a confidential list was added
	KindUnsubscribe = ledger.KindUnsubscribe // a subscriber was removed
	KindOverride    = ledger.KindOverride    // the next release may pass the guards
	KindGuard       = ledger.KindGuard       // the settings of the guards were changed
)

// Close closes the ledger.
func (l *Ledger) Close() error { return l.history.Close() }

// List returns the name of the list.
func (l *Ledger) List() string { return l.list }

// History returns the database of the ledger, for packages of this module.
func (l *Ledger) History() *ledger.Ledger { return l.history }

// Entries yields what is listed now, in the order of a release. The last thing it yields may be an error.
func (l *Ledger) Entries(ctx context.Context) iter.Seq2[blocklist.Entry, error] {
	return l.history.Entries(ctx)
}

// Lookup returns the entry with a target, and false if nothing is listed under it.
func (l *Ledger) Lookup(ctx context.Context, target string) (e blocklist.Entry, ok bool, err error) {
	return l.history.Lookup(ctx, target)
}

// Operations yields the history, the oldest operation first. The last thing it yields may be an error.
func (l *Ledger) Operations(ctx context.Context) iter.Seq2[Operation, error] {
	return l.history.Operations(ctx, ledger.Range{})
}

// Unreleased yields what has changed since the release that was pushed last, in the order of a delta. The last thing it yields
// may be an error.
func (l *Ledger) Unreleased(ctx context.Context) iter.Seq2[blocklist.Change, error] {
	return func(yield func(blocklist.Change, error) bool) {
		last, err := l.history.LastRelease(ctx)
		switch {
		case err != nil:
			yield(blocklist.Change{}, err)
		case last.Serial == 0: // all that is listed
			l.history.Additions(ctx)(yield)
		default:
			l.history.Changes(ctx, last.Operation, math.MaxInt64)(yield)
		}
	}
}

// because joins what was done and why.
func because(what, why string) string {
	if why == "" {
		return what
	}
	return what + ": " + why
}
