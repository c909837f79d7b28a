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

// Ledger is the history of a list, in the agency's folder.
type Ledger struct {
	folder
	history *ledger.Ledger
}

// Audit says who changes the ledger, and why. Author is needed. Reason is free text, Reference names the order or
// decision. Override gives Add and Import a reason to list entries that the guards hold; if it is empty, held entries
// are not listed. Each is one line of at most 4 KiB.
type Audit = ledger.Audit

// Operation is one operation in the history of the list. Its Hash covers all its other fields and the hash of the
// previous operation. Its counts are of lines: a changed attribute is one removed line and one added line.
type Operation = ledger.Operation

// Proposal is a proposal to list a target or to withdraw an order, on which people decide. See package proposal.
type Proposal = ledger.Proposal

// Step is one operation about proposals, see package proposal.
type Step = ledger.Step

// ReleaseRecord records a pushed release: the number (Operation) and hash (Head) of its last operation, its Serial, and
// the time of the push (Pushed).
type ReleaseRecord = ledger.ReleaseRecord

var (
	// ErrNoAuthor is returned for a change without an author. It wraps [blocklist.ErrMalformed].
	ErrNoAuthor = ledger.ErrNoAuthor
	// ErrNotListed is returned if an entry to be removed is not on the list in that scope.
	ErrNotListed = ledger.ErrNotListed
	// ErrNoOrder is returned if the entry has no standing order with the given reference.
	ErrNoOrder = ledger.ErrNoOrder
	// ErrChangedSince is returned if an operation can't be undone because a later one has changed the same orders.
	ErrChangedSince = ledger.ErrChangedSince
)

// Kinds of operations.
const (
	KindInit        = ledger.KindInit
	KindAdd         = ledger.KindAdd
	KindRemove      = ledger.KindRemove
	KindImport      = ledger.KindImport
	KindExpire      = ledger.KindExpire      // expired orders were withdrawn for a release
	KindUndo        = ledger.KindUndo        // the changes of an operation were reversed
	KindPush        = ledger.KindPush        // a release was pushed
	KindBundle      = ledger.KindBundle      // a release was written to a file, to be carried by hand
	KindRoot        = ledger.KindRoot        // a new root was made, for the officers to sign
	KindRefuse      = ledger.KindRefuse      // a pending root or release was dropped
	KindSkip        = ledger.KindSkip        // a serial that officers have signed is not used again, see [Skipped]
	KindUrgent      = ledger.KindUrgent      // one officer signed urgent orders
	KindTakedown    = ledger.KindTakedown    // checks of listed pages were recorded
	KindSubscribe   = ledger.KindSubscribe   // a subscriber of a confidential list was added
	KindUnsubscribe = ledger.KindUnsubscribe // a subscriber was removed
	KindOverride    = ledger.KindOverride    // the next release may pass the guards
	KindGuard       = ledger.KindGuard       // the settings of the guards were changed
	KindRules       = ledger.KindRules       // the rules for new orders were changed
	KindRole        = ledger.KindRole        // a person got another role, see [Ledger.SetRole]
	KindRecover     = ledger.KindRecover     // a recovery adopted the state of a signed release
	KindConfirm     = ledger.KindConfirm     // proposals were confirmed: the reference has their numbers
	KindProposals   = ledger.KindProposals   // the hash of the last step about proposals, recorded for a release
)

// Close closes the ledger. It fails with [blocklist.ErrBusy] if this process can't write the folder and another process
// has changed the ledger meanwhile. Then the caller must read all data again.
func (l *Ledger) Close() error { return l.history.Close() }

// Holder describes the process that has the lock of a ledger.
type Holder = ledger.Holder

// SetWait makes a change wait for at most this long while another process changes the ledger. Without SetWait, the
// change fails at once, with [blocklist.ErrBusy]. If a change waits for more than a second, waiting is called with the
// other process. Waiting may be nil.
func (l *Ledger) SetWait(most time.Duration, waiting func(Holder)) { l.history.SetWait(most, waiting) }

// Exposed returns a shell command that removes the access of other accounts to the folder. Other accounts are neither
// the owner of the folder nor in its group. The command is empty if other accounts have no access.
func (l *Ledger) Exposed() string {
	info, err := os.Stat(l.dir)
	if err != nil || runtime.GOOS == "windows" || info.Mode()&0o007 == 0 {
		return ""
	}
	return "chmod -R o-rwx " + l.dir
}

// List returns the name of the list.
func (l *Ledger) List() string { return l.list }

// Version stands for the content of a ledger's database at one moment, see [Ledger.Version].
type Version = ledger.Version

// Version returns the version of the ledger after the last commit of this or another process. Within one process, equal
// versions mean equal content. The version does not cover pending releases, roots and signatures: they are files
// outside the database. Getting it takes some microseconds.
func (l *Ledger) Version(ctx context.Context) (Version, error) { return l.history.Version(ctx) }

// History returns the database of the ledger. It is meant for packages of this module.
func (l *Ledger) History() *ledger.Ledger { return l.history }

// Entries yields the current entries, in the order of a release. The last value may be an error.
func (l *Ledger) Entries(ctx context.Context) iter.Seq2[blocklist.Entry, error] {
	return l.history.Entries(ctx)
}

// Lookup returns the entry with a target, and false if there is none.
func (l *Ledger) Lookup(ctx context.Context, target string) (e blocklist.Entry, ok bool, err error) {
	return l.history.Lookup(ctx, target)
}

// Operations yields the history, oldest operation first. The last value may be an error.
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

// Unprepared yields the changes that are in no release, neither in a pushed one nor in the pending one, in the order of
// a delta. The last value may be an error.
func (l *Ledger) Unprepared(ctx context.Context) iter.Seq2[blocklist.Change, error] {
	if _, upTo := l.pendingUpTo(ctx); upTo > 0 {
		return l.history.Changes(ctx, upTo, math.MaxInt64)
	}
	return l.Unreleased(ctx)
}

// because joins a description of an operation and its reason.
func because(what, why string) string {
	if why == "" {
		return what
	}
	return what + ": " + why
}

// ErrUnchanged is returned if the list has not changed since the last release.
var ErrUnchanged = errors.New("nothing has changed")

// metaSent is the database key under which the ledger stores which release is being sent to an origin. Until the origin
// has answered, no other release may have the serial of that release.
const metaSent = "sent"
