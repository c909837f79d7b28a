package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/utf8text"
)

// Audit says who changes the ledger, and why. Author is required. Each field is one line of at most 4 KiB; Reason and
// Override together have at most 4 KiB.
type Audit struct {
	Author    string
	Reason    string
	Reference string // identifies the order or decision that the change follows
	Override  string // reason to list entries that the guards stop; empty: no override
}

// ErrNoAuthor is returned for a change without an author. It wraps [blocklist.ErrMalformed].
var ErrNoAuthor = fmt.Errorf("%w: a change needs an author", blocklist.ErrMalformed)

// Check fails with [blocklist.ErrMalformed] unless the fields are valid.
func (a Audit) Check() error {
	for what, text := range map[string]string{
		"author": a.Author, "reason": a.Reason, "reference": a.Reference,
		"override": a.Override,
	} {
		if !utf8text.IsLine(text, maxText) || strings.ContainsFunc(text, utf8text.Unsafe) {
			return fmt.Errorf("%s %.40q: %w: one line of at most 4 KiB is needed", what, text, blocklist.ErrMalformed)
		}
	}
	if !utf8text.IsLine(a.recordedReason(true), maxText) {
		return fmt.Errorf("reason %.40q with its override: %w: together at most 4 KiB", a.Reason, blocklist.ErrMalformed)
	}
	if a.Author == "" {
		return ErrNoAuthor
	}
	return nil
}

// Kinds of operations.
const (
	KindInit    = "init"
	KindAdd     = "add"
	KindRemove  = "remove"
	KindImport  = "import"
	KindExpire  = "expire"  // expired orders were withdrawn for a release
	KindUndo    = "undo"    // the changes of an operation were reversed; the reference names it
	KindPush    = "push"    // a release was pushed
	KindBundle  = "bundle"  // a release was written to a file
	KindRoot    = "root"    // a new root was made, for the officers to sign
	KindRefuse  = "refuse"  // a pending root, release or document of urgent orders was dropped
	KindDiscard = "discard" // a pending release was dropped without an officer; the reference is its hash
	KindSkip    = "skip"    // a serial that officers have signed is not used again; the reference says which
	KindUrgent  = "urgent"  // one officer signed urgent orders

	KindTakedown = "takedown" // checks of listed pages were recorded, which the operation's ChangesHash covers

	KindSubscribe   = "subscribe"   // a subscriber was added; the reference is name and recipient
	KindUnsubscribe = "unsubscribe" // a subscriber was removed

	KindRecover = "recover" // a recovery: the ledger adopted a signed release; the reference says which

	KindOverride = "override" // the next release may pass the guards in spite of the findings in the reference
	KindEnd      = "end"      // the next release may end the urgent orders in the reference
	KindGuard    = "guard"    // the settings of the guards were changed
	KindRules    = "rules"    // the rules for new orders were changed
	KindRole     = "role"     // a person got another role; the reference says which

	KindConfirm   = "confirm"   // orders were given or withdrawn by confirming proposals; the reference names these
	KindProposals = "proposals" // at a release: the reference records the last [Step] with its hash
)

// changesNothing reports whether operations of this kind are recorded even if they change no order.
func changesNothing(kind string) bool {
	switch kind {
	case KindPush, KindBundle, KindRoot, KindRefuse, KindDiscard, KindSkip, KindUrgent, KindOverride, KindEnd, KindGuard,
		KindRules, KindRole, KindSubscribe, KindUnsubscribe,
		KindRecover, KindProposals:
		return true
	}
	return false
}

// Operation is one operation in the history of the list.
type Operation struct {
	ID          int64     `json:"id"` // from 1, without gaps
	Time        time.Time `json:"time"`
	Author      string    `json:"author"`
	Kind        string    `json:"kind"`
	Reason      string    `json:"reason,omitempty"`
	Reference   string    `json:"reference,omitempty"`
	Added       uint64    `json:"added"`   // added lines; a changed attribute is one removed and one added line
	Removed     uint64    `json:"removed"` // removed lines
	LastChange  int64     `json:"last_change"`
	ChangesHash string    `json:"changes_hash"` // SHA-256 of the lines and checks, each with its sign and a line end
	Entries     uint64    `json:"entries"`      // number of entries on the list after the operation
	Digest      string    `json:"digest"`       // digest of the list after the operation
	Hash        string    `json:"hash"`         // SHA-256 of all fields above and the hash of the previous operation
}

// LinkHash returns the hash of the operation in the chain. The argument before is the hash of the previous operation.
func (o Operation) LinkHash(before string) string {
	text, err := json.Marshal([]any{
		before, o.ID, FormatTime(o.Time), o.Author, o.Kind, o.Reason, o.Reference, o.Added, o.Removed, o.LastChange,
		o.ChangesHash, o.Entries, o.Digest,
	})
	if err != nil {
		panic(err) // can't happen: strings and integers always encode
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// InitialHash returns the value that the first operation is chained to.
func InitialHash(list string) string { return "argine ledger of " + list }

// FormatTime returns a time in the text form that the ledger stores: RFC 3339, UTC, whole seconds.
func FormatTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

const operationColumns = `id, time, author, kind, reason, reference, added, removed, last_change, changes_hash, entries, digest, hash`

func scanOperation(row scanner) (o Operation, err error) {
	var at string
	err = row.Scan(&o.ID, &at, &o.Author, &o.Kind, &o.Reason, &o.Reference, &o.Added, &o.Removed, &o.LastChange,
		&o.ChangesHash, &o.Entries, &o.Digest, &o.Hash)
	if err != nil {
		return o, err
	}
	if o.Time, err = time.Parse(time.RFC3339, at); err != nil {
		return o, fmt.Errorf("operation %d: %w: time %q", o.ID, blocklist.ErrDamaged, at)
	}
	return o, o.CheckText()
}

// CheckText fails with [blocklist.ErrDamaged] if a text of the operation, such as its reason, has control characters.
// No command writes them, and they could hide other text on the terminal of an officer who signs.
func (o *Operation) CheckText() error {
	for what, text := range map[string]string{
		"author": o.Author, "kind": o.Kind, "reason": o.Reason, "reference": o.Reference, "digest": o.Digest, "hash": o.Hash,
	} {
		if !utf8text.IsLine(text, maxText) {
			return Damaged("operation %d: the %s %.40q is not one line of text", o.ID, what, text)
		}
	}
	return nil
}

// maxText is the maximum length of a text of an operation, in bytes.
const maxText = 4 << 10

// clockConfirmed is the end of the recorded reason if the clock did not seem right to [Ledger.Lock] and a person
// confirmed it.
const clockConfirmed = "; clock confirmed"

// overriddenBy is the separator in a recorded reason, between the reason of the change and the reason to override the
// guards.
const overriddenBy = "; guards overridden: "

// recordedReason returns the text to record as the reason: the stated reason, a note if the clock did not seem right
// and a person confirmed it, and the reason for overriding the guards, if there is one.
func (a Audit) recordedReason(doubted bool) string {
	reason := a.Reason
	if doubted {
		reason += clockConfirmed
	}
	if a.Override != "" {
		reason += overriddenBy + a.Override
	}
	return strings.TrimPrefix(reason, "; ")
}

// StatedReason returns only the author's reason for the change, without the notes that [Audit.recordedReason] adds.
func (o Operation) StatedReason() string {
	reason, _, _ := o.Stated()
	return reason
}

// Stated splits the recorded reason. It returns the author's reason for the change, the reason for overriding the
// guards (empty if they were not overridden), and whether a person had to confirm the clock.
func (o Operation) Stated() (reason, override string, doubted bool) {
	reason, override, _ = strings.Cut("; "+o.Reason, overriddenBy)
	reason, doubted = strings.CutSuffix(reason, clockConfirmed)
	return strings.TrimPrefix(reason, "; "), override, doubted
}

// Damaged returns an error about a row that was altered, is missing, or should not exist. It wraps
// [blocklist.ErrDamaged].
func Damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", blocklist.ErrDamaged, fmt.Sprintf(format, args...))
}
