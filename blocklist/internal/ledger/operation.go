package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/utf8text"
)

// Audit says who changes the ledger, and why. The author is needed. Each is one line of at most 4 KiB.
type Audit struct {
	Author    string
	Reason    string
	Reference string // the order or decision behind it
	Override  string // of Add and Import: why entries are taken that the guards hold; empty: they are not
}

// Check fails with [blocklist.ErrMalformed] unless a change can be recorded with this.
func (a Audit) Check() error {
	for what, text := range map[string]string{"author": a.Author, "reason": a.Reason, "reference": a.Reference,
		"override": a.Override} {
		if !isLine(text) || strings.ContainsFunc(text, utf8text.Unsafe) {
			return fmt.Errorf("%s %.40q: %w: one line of at most 4 KiB is needed", what, text, blocklist.ErrMalformed)
		}
	}
	if a.Author == "" {
		return fmt.Errorf("%w: a change needs an author", blocklist.ErrMalformed)
	}
	return nil
}

// Kinds of operations.
const (
	KindInit   = "init"
	KindAdd    = "add"
	KindRemove = "remove"
	KindImport = "import"
	KindExpire = "expire" // entries past their expiry are taken out when a release is made
	KindPush   = "push"   // a release was pushed
	KindRoot   = "root"   // a new root was made, for the officers to sign
	KindRefuse = "refuse" // what was pending was dropped
	KindUrgent = "urgent" // one officer has ordered something alone

	KindTakedown = "takedown" // checks were recorded of which pages are still there; its changes are these

	KindSubscribe   = "subscribe"   // a subscriber of a confidential list was added; the reference is name and recipient
	KindUnsubscribe = "unsubscribe" // a subscriber was removed

	KindOverride = "override" // the next release may pass the guards, with the findings that it refers to
	KindGuard    = "guard"    // the settings of the guards were changed
)

// changesNothing reports whether operations of a kind are recorded although no entry comes or goes.
func changesNothing(kind string) bool {
	switch kind {
	case KindPush, KindRoot, KindRefuse, KindUrgent, KindOverride, KindGuard, KindSubscribe, KindUnsubscribe:
		return true
	}
	return false
}

// Operation is one step in the history of the list.
type Operation struct {
	ID          int64     `json:"id"` // from 1, without gaps
	Time        time.Time `json:"time"`
	Author      string    `json:"author"`
	Kind        string    `json:"kind"`
	Reason      string    `json:"reason,omitempty"`
	Reference   string    `json:"reference,omitempty"`
	Added       uint64    `json:"added"`   // lines that came; a changed attribute is a line that went and one that came
	Removed     uint64    `json:"removed"` // lines that went
	LastChange  int64     `json:"last_change"`
	ChangesHash string    `json:"changes_hash"` // SHA-256 of the lines, or checks, each with its sign and a line end
	Entries     uint64    `json:"entries"`      // of the list, afterwards
	Digest      string    `json:"digest"`       // of the list, afterwards
	Hash        string    `json:"hash"`         // of all of the above and the hash of the operation before
}

// LinkHash returns the hash of the operation, given that of the one before.
func (o Operation) LinkHash(before string) string {
	text, err := json.Marshal([]any{
		before, o.ID, FormatTime(o.Time), o.Author, o.Kind, o.Reason, o.Reference, o.Added, o.Removed, o.LastChange,
		o.ChangesHash, o.Entries, o.Digest,
	})
	if err != nil {
		panic(err) // strings and integers have JSON forms
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// InitialHash stands for the hash before the first operation.
func InitialHash(list string) string { return "argine ledger of " + list }

// FormatTime writes a time as the ledger keeps it.
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

// CheckText fails with [blocklist.ErrDamaged] for a row that no command has written: its control characters could
// conceal on a terminal what is signed.
func (o *Operation) CheckText() error {
	for what, text := range map[string]string{
		"author": o.Author, "kind": o.Kind, "reason": o.Reason, "reference": o.Reference, "digest": o.Digest, "hash": o.Hash,
	} {
		if !isLine(text) {
			return Damaged("operation %d: the %s %.40q is not one line of text", o.ID, what, text)
		}
	}
	return nil
}

// isLine reports whether a text is one line of at most 4 KiB, without control characters.
func isLine(text string) bool {
	return len(text) <= 4<<10 && utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

// overriddenBy stands between the reason of a change and why the guards were overridden.
const overriddenBy = "; guards overridden: "

// recordedReason returns the reason together with the override.
func (a Audit) recordedReason() string {
	if a.Override == "" {
		return a.Reason
	}
	return strings.TrimPrefix(a.Reason+overriddenBy+a.Override, "; ")
}

// StatedReason returns the reason of the change alone, without why the guards were overridden.
func (o Operation) StatedReason() string {
	reason, _, _ := strings.Cut("; "+o.Reason, overriddenBy)
	return strings.TrimPrefix(reason, "; ")
}

// Damaged reports a row that was altered, is missing or does not belong there; it wraps [blocklist.ErrDamaged].
func Damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", blocklist.ErrDamaged, fmt.Sprintf(format, args...))
}
