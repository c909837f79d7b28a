package publish

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
)

// LogFilter selects operations of the history. The zero value selects all. In Author and Reference, a star stands for
// any text.
type LogFilter struct {
	Since, Until time.Time // from Since to before Until; zero: no limit
	Kinds        []string  // only these kinds; empty: all
	Author       string    // author of the operation; empty: all
	Reference    string    // reference of the operation; empty: all
	Target       string    // only operations that changed this entry, host, address or URL; empty: all
	IDs          []int64   // only operations with these numbers; nil: all
	Before       int64     // only operations whose number is lower than this one; 0: no limit
	Last         int       // only the newest of the selected operations, at most this many; 0: all
}

// LoggedOperation is an operation with the first targets that it changed.
type LoggedOperation struct {
	Operation
	// Changed has the first targets, each with its sign: + added, - removed, ? a page that was checked. A target without a
	// sign has new attributes or other orders.
	Changed []string `json:"changed,omitempty"`
	More    uint64   `json:"more,omitempty"` // number of lines about targets that are not in Changed
}

// Log yields the selected operations, oldest first. The last value may be an error.
func (l *Ledger) Log(ctx context.Context, f LogFilter) iter.Seq2[LoggedOperation, error] {
	return func(yield func(LoggedOperation, error) bool) {
		filter, err := f.filter()
		if err != nil {
			yield(LoggedOperation{}, err)
			return
		}
		for o, err := range l.history.Log(ctx, filter) {
			if !yield(loggedOperation(o), err) || err != nil {
				return
			}
		}
	}
}

func (f LogFilter) filter() (ledger.Filter, error) {
	filter := ledger.Filter{
		Since: f.Since, Until: f.Until, Kinds: f.Kinds, Author: f.Author, Reference: f.Reference,
		IDs: f.IDs, Before: f.Before, Last: f.Last,
	}
	if f.Target == "" {
		return filter, nil
	}
	s, err := readSubject(f.Target)
	filter.Targets = s.own
	return filter, err
}

// maxChanged is the maximum number of targets in [LoggedOperation].Changed.
const maxChanged = 3

func loggedOperation(o ledger.Logged) LoggedOperation {
	if o.Kind == KindUrgent {
		o.First = urgentLines(o.Operation)
		o.Lines = uint64(len(o.First))
	}
	l := LoggedOperation{Operation: o.Operation, More: o.Lines}
	for rest := o.First; len(rest) > 0 && len(l.Changed) < maxChanged; {
		n := 1
		for n < len(rest) && rest[n][1:] == rest[0][1:] {
			n++
		}
		l.Changed = append(l.Changed, changedTarget(rest[:n]))
		l.More -= uint64(n)
		rest = rest[n:]
	}
	return l
}

// changedTarget returns the target that these lines of an operation are about, with the sign of the net change: + or -
// if the target was added or removed, no sign if it was listed before and after.
func changedTarget(lines []string) string {
	listed := slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return line[0] != '+' && line[0] != '-' })
	target := strings.TrimLeft(lines[0][:1], "&~+-") + lines[0][1:] // a check keeps its sign
	if len(listed) == 0 {
		return target
	}
	if first, last := listed[0], listed[len(listed)-1]; first[0] == '+' || last[0] == '-' {
		return last
	}
	return target
}

// Kinds returns all kinds of operations.
func Kinds() []string {
	return []string{
		KindInit, KindAdd, KindRemove, KindImport, KindExpire, KindUndo, KindPush, KindBundle, KindRoot, KindRefuse,
		KindDiscard, KindSkip, KindUrgent, KindTakedown, KindSubscribe, KindUnsubscribe, KindRecover, KindOverride,
		KindEnd, KindGuard, KindRules, KindRole, KindConfirm, KindProposals,
	}
}

// longHash matches a SHA-256 digest in hexadecimal at the end of a text.
var longHash = regexp.MustCompile(`\b([0-9a-f]{12})[0-9a-f]{52}$`)

// StatedReference returns the reference of an operation in a form for people. The proof in a refusal is left out. The
// recipient of a subscriber is replaced by its fingerprint. A hash of findings, of proposals or of a discarded release
// is cut to its first 12 digits.
func StatedReference(o Operation) string {
	switch o.Kind {
	case KindRefuse:
		stated, _, _ := strings.Cut(" "+o.Reference, " "+refusalMark+" ")
		return strings.TrimPrefix(stated, " ")
	case KindSubscribe, KindUnsubscribe:
		name, recipient, _ := strings.Cut(o.Reference, " ")
		fingerprint, _ := Fingerprint([]byte(recipient)) // empty for one that was altered
		return strings.TrimSpace(name + " " + fingerprint)
	case KindProposals, KindOverride, KindDiscard:
		return longHash.ReplaceAllString(o.Reference, "$1")
	}
	return o.Reference
}

// ErrNoOperation is returned if the history has no operation with the given number or hash.
var ErrNoOperation = errors.New("no such operation")

// ShownOperation is an operation, with the hash of the previous operation and with the release that published it.
type ShownOperation struct {
	Operation
	Before string `json:"before"` // hash of the previous operation
	Publication
}

// minHash is the minimum number of hexadecimal digits in an abbreviated operation hash.
const minHash = 4

// Operation returns the operation with the given name: its number, or the first digits of its hash. It fails with
// [ErrNoOperation] if there is none, and with [blocklist.ErrMalformed] if several hashes begin with these digits.
func (l *Ledger) Operation(ctx context.Context, name string) (s ShownOperation, err error) {
	if s.Operation, err = l.findOperation(ctx, name); err != nil {
		return s, fmt.Errorf("showing operation %.70q: %w", name, err)
	}
	s.Before = ledger.InitialHash(l.list)
	if s.ID > 1 {
		before, err := l.history.OperationByID(ctx, s.ID-1)
		if err != nil {
			return s, ledger.Damaged("operation %d is missing: %v", s.ID-1, err)
		}
		s.Before = before.Hash
	}
	s.Publication, err = l.releaseLookup(ctx).find(ctx, s.ID)
	return s, err
}

func (l *Ledger) findOperation(ctx context.Context, name string) (o Operation, err error) {
	if id, numErr := strconv.ParseInt(name, 10, 64); numErr == nil {
		if o, err = l.history.OperationByID(ctx, id); !errors.Is(err, sql.ErrNoRows) {
			return o, err
		}
	}
	prefix := strings.ToLower(name)
	if len(prefix) < minHash || strings.Trim(prefix, "0123456789abcdef") != "" {
		return o, fmt.Errorf("%w; blocklist log shows the numbers and hashes that there are", ErrNoOperation)
	}
	found, err := l.history.OperationsByHash(ctx, prefix)
	switch {
	case err != nil:
		return o, err
	case len(found) == 0:
		return o, fmt.Errorf("%w; blocklist log shows the numbers and hashes that there are", ErrNoOperation)
	case len(found) > 1:
		return o, fmt.Errorf("%w: several hashes begin so; give more digits", blocklist.ErrMalformed)
	}
	return found[0], nil
}

// OperationLine is one line of an operation: a changed entry, a changed order, or a checked page.
type OperationLine struct {
	// Sign is + or - for an added or removed line of the list; & or ~ for a given or withdrawn order of a target that
	// has several orders; ? for a checked page.
	Sign               string
	Target, Attributes string     // Attributes begins with a space, unless it is empty
	Check              *PageCheck // the check that the line records, without its field Operation; nil for other lines
}

// OperationLines yields all lines of an operation, in the order in which they were recorded. The last value may be an
// error.
func (l *Ledger) OperationLines(ctx context.Context, o Operation) iter.Seq2[OperationLine, error] {
	return l.OperationPart(ctx, o, 0, 0)
}

// OperationPart yields part of the lines of an operation: it skips the first skip lines, and then yields at most limit
// lines, or all others if limit is 0. It reads only these lines. But if the operation has recorded page checks
// ([KindTakedown]), it reads them all. The last value may be an error.
func (l *Ledger) OperationPart(ctx context.Context, o Operation, skip, limit int64) iter.Seq2[OperationLine, error] {
	if o.Kind == KindTakedown {
		return l.checksPart(ctx, o, skip, limit)
	}
	return func(yield func(OperationLine, error) bool) {
		for c, err := range l.history.Lines(ctx, o.ID, skip, limit) {
			if !yield(OperationLine{Sign: c.Sign, Target: c.Target, Attributes: c.Attributes}, err) || err != nil {
				return
			}
		}
	}
}

// checksPart is [Ledger.OperationPart] for an operation with page checks, which has no other lines.
func (l *Ledger) checksPart(ctx context.Context, o Operation, skip, limit int64) iter.Seq2[OperationLine, error] {
	return func(yield func(OperationLine, error) bool) {
		n := int64(0)
		for c, err := range l.history.ChecksBy(ctx, o.ID) {
			n++
			if err == nil && (n <= skip || limit > 0 && n > skip+limit) {
				continue
			}
			check := PageCheck{Checked: c.Checked, Removed: c.Removed}
			if !yield(OperationLine{Sign: "?", Target: c.Target, Check: &check}, err) || err != nil {
				return
			}
		}
	}
}
