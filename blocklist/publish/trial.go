package publish

import "github.com/argine-dns/argine/blocklist/internal/ledger"

// ErrMoved is returned for a change through [Ledger.After] if the ledger has changed since the state that the change is
// meant for.
var ErrMoved = ledger.ErrMoved

// Trial returns a ledger for a dry run of [Ledger.Add], [Ledger.Remove], [Ledger.Withdraw], [Ledger.KeepUrgent],
// [Ledger.KeepUrgentUntil] and [Ledger.Undo]. These methods return the same results as on l, but record nothing. No
// other method of that ledger may be called.
func (l *Ledger) Trial() *Ledger { return &Ledger{folder: l.folder, history: l.history.Trial()} }

// After returns a ledger that records a change only if the last operation has this hash. Otherwise the change fails
// with [ErrMoved]. This is for changes that depend on a known state.
func (l *Ledger) After(head string) *Ledger {
	return &Ledger{folder: l.folder, history: l.history.After(head)}
}

// KeepReaders keeps up to n idle connections to the database open. It is for a program that reads the ledger all day.
func (l *Ledger) KeepReaders(n int) { l.history.KeepReaders(n) }
