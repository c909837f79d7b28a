package publish

import "github.com/argine-dns/argine/blocklist/internal/ledger"

// ErrMoved is returned for a change after an operation that is not the last one any more, see [Ledger.After].
var ErrMoved = ledger.ErrMoved

// Trial returns a ledger on which [Ledger.Add], [Ledger.Remove], [Ledger.Withdraw] and [Ledger.Undo] are only tried:
// they return what they would return, and record nothing. It must not be used for anything else.
func (l *Ledger) Trial() *Ledger { return &Ledger{folder: l.folder, history: l.history.Trial()} }

// After returns a ledger for a change of a state that somebody has seen: the change is recorded only if the last
// operation has this hash, and fails with [ErrMoved] otherwise.
func (l *Ledger) After(head string) *Ledger {
	return &Ledger{folder: l.folder, history: l.history.After(head)}
}

// KeepReaders keeps up to n connections to the database open, for a program that reads the ledger all day.
func (l *Ledger) KeepReaders(n int) { l.history.KeepReaders(n) }
