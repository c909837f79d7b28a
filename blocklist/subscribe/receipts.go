package subscribe

import (
	"context"
	"errors"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/receipt"
)

// Receipts makes a subscription confirm what it enforces: when a release has come into force, Run has the resolver asked
// whether it is so, signs a receipt only if it is, and sends it to the first origin that takes receipts. Receipts wait in the
// store's folder while there is none.
type Receipts struct {
	Key   note.Signer // the subscriber's own, ed25519; see [receipt.ParseSigner]
	Probe Prober
}

// check fails unless both fields are set.
func (r *Receipts) check() error {
	if r != nil && (r.Key == nil || r.Probe == nil) {
		return errors.New("receipts need a key and a probe")
	}
	return nil
}

// Prober asks the subscriber's own resolver, over a real socket, and counts the correct answers. If one is wrong, it
// returns an error: then there is no receipt, and the probe is repeated later. An error that wraps [ErrNotEnforced] means
// that the settings do not enforce the list. A Prober returns when ctx ends.
type Prober func(ctx context.Context, p Probe) (receipt.Asked, error)

// Probe has the names to ask for. The prober leaves out those of Added and Removed on which another list or an allow list
// decides, since no answer can show the difference.
type Probe struct {
	List    string
	Test    string            // the canary of the serial in force: must be blocked
	Gone    string            // the canary of the serial before: must not be blocked
	Added   []blocklist.Entry // a sample of the new names, of scope domain or host: must be blocked
	Removed []blocklist.Entry // a sample of the delisted names: must not be blocked by this list
}

// ErrNotEnforced is wrapped by a prober's error if the settings do not enforce the list, such as action monitor.
var ErrNotEnforced = errors.New("it is not enforced")

// ReceiptStatus is the state of a subscription's receipts.
type ReceiptStatus struct {
	Serial    uint64    // that was confirmed last; 0: none yet
	Enforced  time.Time // since when
	Waiting   int       // receipts that no origin has taken yet
	Delivered time.Time // when an origin took one last, since the start
	Err       error     // why the serial in force is not confirmed, or why receipts wait; nil if neither
}
