package blocklist

import (
	"errors"
	"fmt"

	"github.com/argine-dns/argine/blocklist/internal/disk"
)

// Sentinel errors. Errors of this package and its subpackages wrap one of them, or an error of the file system (package
// io/fs), of the caller's context or of the caller's iterator.
var (
	// ErrMalformed is returned for text or bytes that violate their grammar.
	ErrMalformed = errors.New("malformed")
	// ErrUntrusted is returned if required signatures are missing, or something differs from what was signed.
	ErrUntrusted = errors.New("not trusted")
	// ErrSignatures is returned when fewer officers have signed than the threshold says. It wraps [ErrUntrusted].
	ErrSignatures error = special{"too few officers have signed it", ErrUntrusted}
	// ErrRefused is returned by a push if the origin answers with a client error (HTTP 4xx), for example because its
	// checks of the release failed. It wraps [ErrUntrusted].
	ErrRefused error = special{"the origin refused it", ErrUntrusted}
	// ErrUnavailable is returned when an origin can't be reached, or can't answer now. Try again later.
	ErrUnavailable = errors.New("unavailable")
	// ErrRollback is returned for a release that is older than the current one.
	ErrRollback = errors.New("older than what is held")
	// ErrEquivocation is returned when officers have signed two different states of one serial: the agency has two
	// histories, by mistake or by fraud, and people must find out which one is right. It wraps [ErrRollback].
	ErrEquivocation error = special{"equivocation: there are two states of one number", ErrRollback}
	// ErrGap is returned if a delta starts from another state than the current one. A snapshot is needed instead.
	ErrGap = errors.New("does not continue what is held")
	// ErrExpired is returned for expired metadata. Someone may withhold newer metadata.
	ErrExpired = errors.New("expired")
	// ErrClock is returned when the clock of this machine contradicts a time that was recorded or signed.
	ErrClock = errors.New("the clock seems wrong")
	// ErrTooLarge is returned if a size limit is exceeded.
	ErrTooLarge = errors.New("too large")
	// ErrDamaged is returned if a file of a store, or the file of a [Set], has a wrong checksum or form. Such a file is
	// never used.
	ErrDamaged = errors.New("damaged")
	// ErrDigest is returned if entries do not have the expected digest.
	ErrDigest = errors.New("digest does not match")
	// ErrHeld is returned if the guards hold a change. A person must look at their findings, and may accept the change.
	ErrHeld = errors.New("held by the guards")
	// ErrNoKey is returned if a confidential list can't be decrypted: no identity was given, or the agency does not
	// encrypt the list to any of the given identities, or no longer does.
	ErrNoKey = errors.New("there is no key for it")
	// ErrClosed is returned by a Store after Release or Close, and by a list reader whose entries were already read.
	ErrClosed = errors.New("closed")
	// ErrReadOnly is returned for a change to a store that was opened with [Options.ReadOnly].
	ErrReadOnly = errors.New("opened read-only")
	// ErrSigned is returned when unsigned entries would replace a signed list.
	ErrSigned = errors.New("a signed list has that name")
	// ErrBusy is returned if another process, or another owner in this process, has locked the files.
	ErrBusy = disk.ErrLocked
)

// special is a sentinel error for a special case of a more general sentinel, which it wraps.
type special struct {
	text string
	of   error
}

func (e special) Error() string { return e.text }
func (e special) Unwrap() error { return e.of }

// EntryError reports a line that is not an entry, and the reason. It wraps [ErrMalformed].
type EntryError struct {
	Line int    // line number, from 1; 0: the text is not from a file
	Text string // the wrong text, shortened
	Why  string // the reason, with a correction if there is one
	// Meant is the target that was probably meant, as Why suggests it; empty: no target could be guessed, or the text
	// is from a file.
	Meant string
}

// Error implements error.
func (e *EntryError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("line %d: entry %q: %s", e.Line, e.Text, e.Why)
	}
	return fmt.Sprintf("entry %q: %s", e.Text, e.Why)
}

// Unwrap returns [ErrMalformed].
func (e *EntryError) Unwrap() error { return ErrMalformed }

// SerialError reports that a release can't follow the current one. It wraps [ErrRollback] or [ErrGap].
type SerialError struct {
	List string
	Held uint64 // the current serial
	Base uint64 // the serial that the release starts from; 0: the release is a snapshot
	Got  uint64 // the serial of the release
	Err  error
}

// Error implements error.
func (e *SerialError) Error() string {
	if errors.Is(e.Err, ErrGap) {
		return fmt.Sprintf("%s: delta %d-%d %v (serial %d)", e.List, e.Base, e.Got, e.Err, e.Held)
	}
	return fmt.Sprintf("%s: serial %d is %v (%d)", e.List, e.Got, e.Err, e.Held)
}

// Unwrap returns [ErrRollback] or [ErrGap].
func (e *SerialError) Unwrap() error { return e.Err }

// excerpt shortens text from outside to 80 bytes, for an error message.
func excerpt(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
