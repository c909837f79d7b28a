package publish

import (
	"context"
	"errors"
	"iter"
	"math"
	"os"
	"runtime"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
)

// Ledger is the opened folder of an agency: it has the history of a list, and the methods that change, release and sign
// the list.
type Ledger struct {
	folder
	history *ledger.Ledger
}

// Audit says who changes the ledger, and why. Author is required. Reason is free text. Reference names the order or
// decision behind the change. Override is the reason to list entries although the guards hold them; if it is empty,
// such entries are not listed. Each field is one line of at most 4 KiB.
type Audit = ledger.Audit

// Operation is one operation in the history of the list. Its Hash covers all other fields and the hash of the previous
// operation. Added and Removed count lines: a changed attribute is one removed and one added line.
type Operation = ledger.Operation

// Proposal is a request to list a target or to withdraw an order, which people decide on. See package proposal.
type Proposal = ledger.Proposal

// Step is one operation in the history of proposals, see package proposal.
type Step = ledger.Step

// ReleaseRecord records a pushed release: the number (Operation) and hash (Head) of its last operation, its Serial, and
// the time of the push (Pushed).
type ReleaseRecord = ledger.ReleaseRecord

var (
	// ErrNoAuthor is returned for a change without an author. It wraps [blocklist.ErrMalformed].
	ErrNoAuthor = ledger.ErrNoAuthor
	// ErrNotListed is returned if a target to be removed or withdrawn is not listed with the given scope.
	ErrNotListed = ledger.ErrNotListed
	// ErrNoOrder is returned if an entry has no order with the given reference.
	ErrNoOrder = ledger.ErrNoOrder
	// ErrChangedSince is returned by [Ledger.Undo] if a later operation has changed the same orders.
	ErrChangedSince = ledger.ErrChangedSince
)

// Kinds of operations, as in [Operation].Kind.
const (
	KindInit        = ledger.KindInit
	KindAdd         = ledger.KindAdd
	KindRemove      = ledger.KindRemove
	KindImport      = ledger.KindImport
	KindExpire      = ledger.KindExpire      // expired orders were withdrawn before a release
	KindUndo        = ledger.KindUndo        // the changes of an operation were reversed
	KindPush        = ledger.KindPush        // a release was pushed
	KindBundle      = ledger.KindBundle      // a release was written to a file, to be carried by hand
	KindRoot        = ledger.KindRoot        // a new root was made, for the officers to sign
	KindRefuse      = ledger.KindRefuse      // a pending root, release or document of urgent orders was dropped
	KindDiscard     = ledger.KindDiscard     // a pending release was dropped without an officer, see [Ledger.Discard]
	KindSkip        = ledger.KindSkip        // the serial of a signed release must not be used again, see [Skipped]
	KindUrgent      = ledger.KindUrgent      // one officer signed urgent orders
	KindTakedown    = ledger.KindTakedown    // checks of listed pages were recorded
	KindSubscribe   = ledger.KindSubscribe   // a subscriber of a confidential list was added
	KindUnsubscribe = ledger.KindUnsubscribe // a subscriber of a confidential list was removed
	KindOverride    = ledger.KindOverride    // the guards were overridden
	KindEnd         = ledger.KindEnd         // urgent orders were allowed to end, see [Ledger.EndUrgent]
	KindGuard       = ledger.KindGuard       // the settings of the guards were changed
	KindRules       = ledger.KindRules       // the rules for new orders were changed
	KindRole        = ledger.KindRole        // a person got another role, see [Ledger.SetRole]
	KindRecover     = ledger.KindRecover     // a recovery adopted the state of a signed release
	KindConfirm     = ledger.KindConfirm     // proposals were confirmed: the reference has their IDs
	KindProposals   = ledger.KindProposals   // the hash of the last proposal step was recorded for a release
)

// Close closes the ledger. A process without write access to the folder reads without a lock; if another process has
// changed the ledger meanwhile, Close fails with [blocklist.ErrBusy], and the caller must read all data again.
func (l *Ledger) Close() error { return l.history.Close() }

// Holder describes the process that holds the lock of a ledger.
type Holder = ledger.Holder

// SetWait sets the maximum time for which a change waits while another process changes the ledger. After that time, the
// change fails with [blocklist.ErrBusy]. Without SetWait, the change fails at once. A change that has waited for one
// second calls the argument notify, unless that is nil, with a description of the other process.
func (l *Ledger) SetWait(limit time.Duration, notify func(Holder)) { l.history.SetWait(limit, notify) }

// Exposed returns a shell command that takes away the access of other accounts to the agency's folder, if they have
// any. It is empty if only the owner and the group of the folder have access.
func (l *Ledger) Exposed() string {
	info, err := os.Stat(l.dir)
	if err != nil || runtime.GOOS == "windows" || info.Mode()&0o007 == 0 {
		return ""
	}
	return "chmod -R o-rwx " + l.dir
}

// List returns the name of the list.
func (l *Ledger) List() string { return l.list }

// Version identifies the content of a ledger's database at one moment, see [Ledger.Version].
type Version = ledger.Version

// Version returns the version of the ledger's database after the last commit of any process. Within one process, equal
// versions mean equal content. The version does not cover pending releases, roots and signatures, which are files
// outside the database. Version takes some microseconds.
func (l *Ledger) Version(ctx context.Context) (Version, error) { return l.history.Version(ctx) }

// History returns the database of the ledger. It is meant for packages of this module.
func (l *Ledger) History() *ledger.Ledger { return l.history }

// Entries yields the current entries, in the order that a release has. The last value may be an error.
func (l *Ledger) Entries(ctx context.Context) iter.Seq2[blocklist.Entry, error] {
	return l.history.Entries(ctx)
}

// Lookup returns the current entry with this target. It returns false if the target is not listed.
func (l *Ledger) Lookup(ctx context.Context, target string) (e blocklist.Entry, ok bool, err error) {
	return l.history.Lookup(ctx, target)
}

// Operations yields all operations, oldest first. The last value may be an error.
func (l *Ledger) Operations(ctx context.Context) iter.Seq2[Operation, error] {
	return l.history.Operations(ctx, ledger.Range{})
}

// Unreleased yields the changes since the last pushed release, in the order of a delta. The last value may be an error.
func (l *Ledger) Unreleased(ctx context.Context) iter.Seq2[blocklist.Change, error] {
	return func(yield func(blocklist.Change, error) bool) {
		last, err := l.history.LastRelease(ctx)
		switch {
		case err != nil:
			yield(blocklist.Change{}, err)
		case last.Serial == 0: // no release yet: all entries are new
			l.history.Additions(ctx)(yield)
		default:
			l.history.Changes(ctx, last.Operation, math.MaxInt64)(yield)
		}
	}
}

// Unprepared yields the changes that are neither in a pushed release nor in the pending one, in the order of a delta.
// The last value may be an error.
func (l *Ledger) Unprepared(ctx context.Context) iter.Seq2[blocklist.Change, error] {
	if _, upTo := l.pendingUpTo(ctx); upTo > 0 {
		return l.history.Changes(ctx, upTo, math.MaxInt64)
	}
	return l.Unreleased(ctx)
}

// because appends the reason, if there is one, to a description of an operation.
func because(what, reason string) string {
	if reason == "" {
		return what
	}
	return what + ": " + reason
}

// ErrUnchanged is returned if there is nothing to do, for example if the list has not changed since the last release.
var ErrUnchanged = errors.New("nothing has changed")

// metaSent is the key, in the database table meta, for the release that is being sent to an origin. Until the origin
// has answered, no other release may have its serial.
const metaSent = "sent"
