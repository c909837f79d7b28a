package publish

import "github.com/argine-dns/argine/blocklist/internal/ledger"

// ErrMoved is returned for a change that was meant for an earlier state of the ledger, see [Ledger.After].
var ErrMoved = ledger.ErrMoved

// Trial returns a ledger for a dry run of [Ledger.Add], [Ledger.Remove], [Ledger.Withdraw], [Ledger.KeepUrgent] and
// [Ledger.Undo]: they return the same results, but record nothing. Call no other method of that ledger.
func (l *Ledger) Trial() *Ledger { return &Ledger{folder: l.folder, history: l.history.Trial()} }

// After returns a ledger for a change that depends on a known state: the change is recorded only if the last operation
// has this hash. Otherwise it fails with [ErrMoved].
func (l *Ledger) After(head string) *Ledger {
	return &Ledger{folder: l.folder, history: l.history.After(head)}
}

// KeepReaders keeps up to n connections to the database open, for a program that reads the ledger all day.
func (l *Ledger) KeepReaders(n int) { l.history.KeepReaders(n) }
