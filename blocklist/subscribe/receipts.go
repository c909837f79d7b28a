package subscribe

import (
	"context"
	"errors"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/receipt"
)

// Receipts configures receipts: when a release has come into force, Run lets the prober verify that the resolver
// enforces it. If the prober succeeds, Run signs a receipt and sends it to the first origin that accepts it. Receipts
// that could not be sent are stored in the list's folder.
type Receipts struct {
	Key   note.Signer // the subscriber's ed25519 key; see [receipt.ParseSigner]
	Probe Prober
}

// check returns an error unless both fields are set.
func (r *Receipts) check() error {
	if r != nil && (r.Key == nil || r.Probe == nil) {
		return errors.New("receipts need a key and a probe")
	}
	return nil
}

// Prober queries the subscriber's own resolver over the network and returns the number of correct answers. If an answer
// is wrong, it returns an error; in this case no receipt is signed, and the probe is repeated later. An error that
// wraps [ErrNotEnforced] means that the resolver's settings do not enforce the list. A Prober must return when ctx
// ends.
type Prober func(ctx context.Context, p Probe) (receipt.Asked, error)

// Probe has the names to query. The prober omits names of Added and Removed about which another list or an allow list
// decides, since their answers show nothing about this list.
type Probe struct {
	List    string
	Test    string            // canary of the current serial: must be blocked
	Gone    string            // canary of the serial that was enforced before: must not be blocked
	Added   []blocklist.Entry // sample of the added names, of scope domain or host: must be blocked
	Removed []blocklist.Entry // sample of the removed names: must not be blocked by this list
}

// ErrNotEnforced is wrapped by a prober's error if the resolver's settings do not enforce the list, for example because
// its action is monitor.
var ErrNotEnforced = errors.New("it is not enforced")

// ReceiptStatus is the state of a subscription's receipts.
type ReceiptStatus struct {
	Serial    uint64    // last confirmed serial; 0: none yet
	Enforced  time.Time // since when Serial is enforced
	Waiting   int       // number of receipts not yet accepted by an origin
	Delivered time.Time // when an origin last accepted a receipt; zero: not since the start
	Err       error     // why the current serial is not confirmed, or why receipts wait; nil: neither
}
