package subscribe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/trust"
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
	Test    string            // the test entry of the serial in force: must be blocked
	Gone    string            // the test entry of the serial before: must not be blocked
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

const (
	receiptsFile  = "release.receipts.json" // see [blocklist.Store.Dir]
	maxWaiting    = 64                      // receipts; beyond, the oldest is dropped
	probeWithin   = time.Minute
	firstProbe    = time.Second // between two tries, doubled up to lastProbe
	lastProbe     = time.Minute
	nothingToDo   = time.Hour
	firstDelivery = 5 * time.Second // between two tries, doubled up to lastDelivery
	lastDelivery  = 15 * time.Minute
	deliverSpread = 3 * time.Second // within which subscribers that were told together deliver
)

// confirmed is what is kept of receipts on the disk.
type confirmed struct {
	Serial   uint64    `json:"serial"`
	Digest   string    `json:"digest"`
	Key      string    `json:"key"` // name and hash of the one that signed
	Enforced time.Time `json:"enforced"`
	Waiting  []string  `json:"waiting,omitempty"` // receipts to deliver, the oldest first
}

// confirmer confirms what a subscription enforces.
type confirmer struct {
	*Subscription

	confirmed

	tried    uint64 // the serial that was probed last
	probe    Probe  // of that
	probeIn  time.Duration
	probeAt  time.Time // not before
	delivery time.Duration
	sendAt   time.Time // not before

	unproved, undelivered error // why the serial in force is not confirmed, why receipts wait
}

// confirm works until ctx ends.
func (s *Subscription) confirm(ctx context.Context) {
	c := confirmer{Subscription: s, probeIn: firstProbe, delivery: firstDelivery}
	if err := c.read(); err != nil {
		s.c.Log.ErrorContext(ctx, "reading what was confirmed; the release in force is confirmed anew", slogErr(err))
	}
	c.show()
	for {
		wait := min(c.prove(ctx), c.deliver(ctx))
		select {
		case <-ctx.Done():
			return
		case <-s.applied:
		case <-time.After(wait):
		}
	}
}

// statement is what a receipt would say about the state in force; false if there is nothing to confirm.
func (c *confirmer) statement() (r receipt.Receipt, way []trust.File, ok bool) {
	c.refreshing.Lock()
	defer c.refreshing.Unlock()
	held, err := c.heldTargets()
	if err != nil || !c.enforces(held) || len(c.held.Kept) == 0 {
		return r, nil, false
	}
	signed, err := trust.ParseTargets(c.held.Chain.Targets) // as it was signed, so for everyone to compare, confidential or not
	if err != nil {
		return r, nil, false
	}
	newest := signed.Newest()
	if newest.Serial == c.Serial && newest.Digest == c.Digest && c.Key == keyName(c.c.Receipts.Key) {
		return r, nil, false
	}
	way = since(c.held.Kept, c.Serial)
	r = receipt.Receipt{List: newest.List, Serial: newest.Serial, Digest: newest.Digest, Received: time.Now()}
	if info, err := os.Stat(c.keptPath(way[len(way)-1])); err == nil {
		r.Received = info.ModTime() // when the last of its files was here, and verified
	}
	return r, way, true
}

func keyName(k note.Signer) string { return fmt.Sprintf("%s+%08x", k.Name(), k.KeyHash()) }

// since returns the files that lead from a serial to what is held; where it is not on the way, the last step alone.
func since(kept []trust.File, serial uint64) []trust.File {
	for i, f := range kept {
		if serial > 0 && f.Release.Base == serial {
			return kept[i:]
		}
	}
	return kept[len(kept)-1:]
}

// prove has the resolver asked, and signs a receipt if all is right. It returns when it wants to be called again.
func (c *confirmer) prove(ctx context.Context) time.Duration {
	r, way, ok := c.statement()
	if !ok {
		return nothingToDo
	}
	if c.tried != r.Serial {
		c.tried, c.probeIn, c.probeAt = r.Serial, firstProbe, time.Time{}
		c.probe = Probe{List: r.List, Test: blocklist.CanaryName(r.List, r.Serial), Gone: blocklist.CanaryName(r.List, c.before(r.Serial))}
		c.probe.Added, c.probe.Removed = c.sample(way)
	}
	if wait := time.Until(c.probeAt); wait > 0 {
		return wait
	}
	err := c.sign(ctx, r)
	if ctx.Err() != nil {
		return nothingToDo
	}
	if err != nil {
		c.unproved = fmt.Errorf("confirming serial %d: %w", r.Serial, err)
		c.show()
		wait := c.probeIn
		c.probeAt, c.probeIn = time.Now().Add(wait), min(2*wait, lastProbe)
		return wait
	}
	c.c.Log.InfoContext(ctx, "the release in force is confirmed", slog.Uint64("serial", r.Serial))
	c.unproved = nil
	c.show()
	if len(c.Waiting) == 1 {
		c.sendAt = time.Now().Add(jitter(deliverSpread / 2))
	}
	return 0
}

// sign signs a receipt after a probe, and keeps it before anyone sees it.
func (c *confirmer) sign(ctx context.Context, r receipt.Receipt) (err error) {
	ctx, cancel := context.WithTimeout(ctx, probeWithin)
	defer cancel()
	if r.Asked, err = c.c.Receipts.Probe(ctx, c.probe); err != nil {
		return err
	}
	r.Enforced = time.Now()
	if r.Received.After(r.Enforced) { // the clock was set back
		r.Received = r.Enforced
	}
	b, err := r.Sign(c.c.Receipts.Key)
	if err != nil {
		return err
	}
	next := confirmed{
		Serial: r.Serial, Digest: r.Digest, Key: keyName(c.c.Receipts.Key), Enforced: r.Enforced.UTC().Truncate(time.Second),
		Waiting: append(c.Waiting[max(len(c.Waiting)-maxWaiting+1, 0):len(c.Waiting):len(c.Waiting)], string(b)),
	}
	return c.keep(next)
}

// before returns the serial that was in force before, as far as that is known.
func (c *confirmer) before(serial uint64) uint64 {
	if c.Serial > 0 && c.Serial != serial {
		return c.Serial
	}
	return serial - 1
}

func (c *confirmer) keep(next confirmed) error {
	b, err := json.Marshal(next)
	if err == nil {
		err = disk.WriteFile(filepath.Join(c.list.Dir(), receiptsFile), b, 0o600)
	}
	if err != nil {
		return fmt.Errorf("keeping receipts: %w", err)
	}
	c.confirmed = next
	return nil
}

func (c *confirmer) read() error {
	b, err := os.ReadFile(filepath.Join(c.list.Dir(), receiptsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var kept confirmed
	if err == nil {
		err = json.Unmarshal(b, &kept)
	}
	if err != nil || len(kept.Waiting) > maxWaiting {
		return errors.Join(blocklist.ErrDamaged, err)
	}
	c.confirmed = kept
	return nil
}

// show puts into the status how it stands. What is wrong is logged when it begins, and when it is something else.
func (c *confirmer) show() {
	err := errors.Join(c.unproved, c.undelivered)
	var old *ReceiptStatus
	c.setStatus(func(st *Status) {
		next := ReceiptStatus{Serial: c.Serial, Enforced: c.Enforced, Waiting: len(c.Waiting), Err: err}
		if old = st.Receipts; old != nil {
			next.Delivered = old.Delivered
		}
		st.Receipts = &next
	})
	if err != nil && (old == nil || old.Err == nil || old.Err.Error() != err.Error()) {
		c.c.Log.Warn("what is in force is not confirmed yet", slogErr(err))
	}
}
