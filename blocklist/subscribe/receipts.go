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

// check tells what is missing.
func (r *Receipts) check() error {
	if r != nil && (r.Key == nil || r.Probe == nil) {
		return errors.New("receipts need a key and a probe")
	}
	return nil
}

// Prober asks the subscriber's own resolver, over a real socket, and counts the questions that were answered as they should
// be. An error says that something was not, so that there is no receipt, and it is tried again; one that wraps
// [ErrNotEnforced], that nobody wants it otherwise. It ends with ctx.
type Prober func(ctx context.Context, p Probe) (receipt.Asked, error)

// Probe is what to ask for. Of Added and Removed what no question can tell is to be left out: names for which another list
// or an allow list decides.
type Probe struct {
	List    string
	Test    string            // the canary of the serial in force: must be blocked
	Gone    string            // the canary of the serial before: must not be blocked
	Added   []blocklist.Entry // some of the names that came, of scope domain or host: must be blocked
	Removed []blocklist.Entry // some of the names that went: must not be blocked by this list
}

// ErrNotEnforced is wrapped by a prober's error where the list is not to be enforced: its action only monitors, say.
var ErrNotEnforced = errors.New("it is not enforced")

// ReceiptStatus says how a subscription stands with its receipts.
type ReceiptStatus struct {
	Serial    uint64    // that was confirmed last; 0: none yet
	Enforced  time.Time // since when
	Waiting   int       // receipts that no origin has taken yet
	Delivered time.Time // when an origin took one last, since the start
	Err       error     // why the serial in force is not confirmed, or why receipts wait; nil if neither
}
