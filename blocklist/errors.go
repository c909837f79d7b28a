package blocklist

import (
	"errors"
	"fmt"

	"github.com/argine-dns/argine/blocklist/internal/disk"
)

// What can go wrong, as a caller may want to tell apart. Errors of this package and of those below it wrap one of
// these, or an error of the file system (package io/fs) or of the caller's own context or iterator.
var (
	// ErrMalformed is returned for text or bytes that do not follow the grammar they claim to follow.
	ErrMalformed = errors.New("malformed")
	// ErrUntrusted is returned when something lacks the signatures it needs, or does not match what was signed.
	ErrUntrusted = errors.New("not trusted")
	// ErrRollback is returned for a release that is older than the one already held.
	ErrRollback = errors.New("older than what is held")
	// ErrGap is returned when a delta starts from another state than the one held; a snapshot is needed instead.
	ErrGap = errors.New("does not continue what is held")
	// ErrExpired is returned for metadata past its expiry: the source may be frozen.
	ErrExpired = errors.New("expired")
	// ErrTooLarge is returned when something exceeds a limit on its size.
	ErrTooLarge = errors.New("too large")
	// ErrDamaged is returned for a file of ours that does not pass its checksum; it is never served.
	ErrDamaged = errors.New("damaged")
	// ErrDigest is returned when the entries are not those that the digest was made from.
	ErrDigest = errors.New("digest does not match")
	// ErrHeld is returned when the guards hold a change; a person looks at what they found, and accepts it or not.
	ErrHeld = errors.New("held by the guards")
	// ErrNoKey is returned for a confidential list that none of the identities at hand opens: there is none, or the
	// agency has not, or no longer, encrypted the list to it.
	ErrNoKey = errors.New("there is no key for it")
	// ErrClosed is returned by a Store after Release or Close, and by a reader of a list whose entries were read
	// before.
	ErrClosed = errors.New("closed")
	// ErrReadOnly is returned for a change of a store that was opened with [Options.ReadOnly].
	ErrReadOnly = errors.New("opened read-only")
	// ErrSigned is returned where entries that no one signed would take the place of a signed list.
	ErrSigned = errors.New("a signed list has that name")
	// ErrBusy is returned when another process, or another owner in this one, holds what is to be changed.
	ErrBusy = disk.ErrLocked
)

// EntryError says which line could not be read as an entry, and why. It wraps [ErrMalformed].
type EntryError struct {
	Line int    // line number from 1; 0 where the text did not come from a file
	Text string // the offending text, shortened
	Why  string // what is wrong, and what to write instead where that is known
}

// Error implements error.
func (e *EntryError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("line %d: entry %q: %s", e.Line, e.Text, e.Why)
	}
	return fmt.Sprintf("entry %q: %s", e.Text, e.Why)
}

// Unwrap makes errors.Is(err, ErrMalformed) true.
func (e *EntryError) Unwrap() error { return ErrMalformed }

// SerialError says that a release does not follow the one in the store. It wraps [ErrRollback] or [ErrGap].
type SerialError struct {
	List string
	Held uint64 // serial in force
	Base uint64 // serial that the release starts from; 0 for a snapshot
	Got  uint64 // serial of the release
	Err  error
}

// Error implements error.
func (e *SerialError) Error() string {
	if errors.Is(e.Err, ErrGap) {
		return fmt.Sprintf("%s: delta %d-%d %v (serial %d)", e.List, e.Base, e.Got, e.Err, e.Held)
	}
	return fmt.Sprintf("%s: serial %d is %v (%d)", e.List, e.Got, e.Err, e.Held)
}

// Unwrap returns the sentinel.
func (e *SerialError) Unwrap() error { return e.Err }

// excerpt shortens outside text for an error message.
func excerpt(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
