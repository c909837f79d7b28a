package publish

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"slices"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// UrgentList has the urgent orders in force, which add to the last pushed release: entries that one officer has listed
// alone. They end with the next release, even if that release does not list these entries.
type UrgentList struct {
	// Number is the number of the newest document of urgent orders for the release, from 1. It is 0 if there is none.
	Number  int64             `json:"number"`
	Serial  uint64            `json:"serial"` // serial of the release
	Entries []blocklist.Entry `json:"-"`      // entries of the newest document that have not expired
	Lines   []string          `json:"orders"` // Entries as text
	Left    int               `json:"left"`   // number of further targets that may be ordered before the next release
	Hours   int               `json:"hours"`  // maximum hours from the first order of a target to its expiry
	Pushed  bool              `json:"pushed"` // whether there was a push since the newest document was signed
	// Stops has the orders in force that the newest document withdraws, if it is not pushed yet.
	Stops []blocklist.Entry `json:"-"`
}

// UrgentChange has entries to be ordered and targets whose orders are withdrawn.
type UrgentChange struct {
	Add    []blocklist.Entry // entries to be ordered; a missing or excessive expiry becomes the latest allowed one
	Remove []string          // targets whose orders are to be withdrawn
}

// Urgent returns the urgent orders that add to the last pushed release.
func (l *Ledger) Urgent(ctx context.Context) (UrgentList, error) {
	h, err := l.orderHistory(ctx)
	if err != nil {
		return UrgentList{}, err
	}
	o := UrgentList{
		Number: h.number, Serial: h.serial, Entries: h.lasting(),
		Left: max(h.limits.Entries-len(h.ordered), 0), Hours: h.limits.Hours,
	}
	for _, e := range o.Entries {
		o.Lines = append(o.Lines, e.String())
	}
	for op, err := range l.history.Operations(ctx, ledger.Range{Kinds: []string{KindUrgent, KindPush}}) {
		if err != nil {
			return o, err
		}
		if _, _, signed := documentOf(op); signed || op.Kind == KindPush {
			o.Pushed = !signed
		}
	}
	if !o.Pushed {
		o.Stops, err = l.stopsWith(ctx, o.Entries)
	}
	return o, err
}

// stopsWith returns the pushed urgent orders that add to the last release and are not among the given ones.
func (l *Ledger) stopsWith(ctx context.Context, entries []blocklist.Entry) ([]blocklist.Entry, error) {
	last, err := l.history.LastRelease(ctx)
	if err != nil {
		return nil, err
	}
	documents, err := l.issuedOrders(ctx, last)
	var pushed []blocklist.Entry
	for _, d := range documents {
		if !d.pushed.IsZero() {
			pushed = d.entries
		}
	}
	return slices.DeleteFunc(unexpired(pushed), func(e blocklist.Entry) bool {
		return indexTarget(entries, e.Target()) >= 0
	}), err
}

// documentOf returns the number and the serial of the document of urgent orders that an operation has put in force. It
// returns false for any other operation.
func documentOf(o Operation) (number int64, serial uint64, ok bool) {
	if o.Kind != KindUrgent {
		return 0, 0, false
	}
	_, err := fmt.Sscanf(o.Reason, "urgent orders %d on serial %d", &number, &serial)
	return number, serial, err == nil
}

// ErrListed is returned for an urgent order on a target that the last release already lists.
var ErrListed = errors.New("listed already")

// SignUrgent makes urgent orders, signed by one officer alone. [Ledger.PushUrgent] sends them to an origin. The ledger
// records the officer as the author. Orders that [Ledger.PrepareUrgent] has made continue to wait for a signature.
//
// SignUrgent fails with [blocklist.ErrUntrusted] if the root does not allow urgent orders, or if they exceed the root's
// limits, which subscribers enforce, too. It fails with [ErrListed] if the release lists a target, and with [ErrRules]
// if an order breaks a rule of the list. The rule in [Rules.TwoPersons] does not apply, because the root allows urgent
// orders by one officer. If the guards hold an entry, it returns a [*guard.HeldError].
func (l *Ledger) SignUrgent(ctx context.Context, change UrgentChange, officer crypto.Signer, c Audit) (
	UrgentList, error,
) {
	if officer == nil {
		return UrgentList{}, fmt.Errorf("ordering: %w: there is no key", blocklist.ErrMalformed)
	}
	unlock, err := l.history.Lock(ctx)
	if err != nil {
		return UrgentList{}, err
	}
	defer unlock()
	h, waiting, err := l.ordersSoFar(ctx)
	if err != nil {
		return UrgentList{}, err
	}
	doc, err := l.makeOrders(ctx, h, h.lasting(), change, c)
	if err == nil {
		err = l.signOrders(ctx, h, doc, officer, c)
	}
	if err == nil && waiting != nil {
		err = l.prepareAgain(ctx, h.lasting(), waiting)
	}
	if err != nil {
		return UrgentList{}, err
	}
	return l.Urgent(ctx)
}

// makeOrders applies a change to the given urgent orders, and returns the next document, unsigned. It fails unless the
// rules of the list, the guards and the limits of the root allow the change.
func (l *Ledger) makeOrders(ctx context.Context, h *orderHistory, orders []blocklist.Entry, change UrgentChange,
	c Audit,
) ([]byte, error) {
	if err := l.checkOrders(ctx, change.Add, c); err != nil {
		return nil, err
	}
	entries, err := h.change(orders, change)
	if err == nil {
		err = l.checkUnlisted(ctx, h.serial, change.Add)
	}
	if err != nil {
		return nil, err
	}
	return h.document(entries)
}

// checkOrders fails if an order breaks a rule of the list, or if the guards hold its entry. An urgent order can't
// override the guards.
func (l *Ledger) checkOrders(ctx context.Context, orders []blocklist.Entry, c Audit) error {
	if len(orders) == 0 {
		return nil
	}
	rules, err := l.newChecker(ctx, c)
	for _, e := range orders {
		if err == nil {
			err = rules.check(e)
		}
	}
	if err != nil {
		return fmt.Errorf("ordering: %w", err)
	}
	g, err := l.guard(ctx)
	if err == nil {
		err = g.Hold(orders)
	}
	return err
}

// checkUnlisted fails with [ErrListed] if the release already lists the target of an order, so that the order would
// change nothing.
func (l *Ledger) checkUnlisted(ctx context.Context, serial uint64, orders []blocklist.Entry) error {
	for _, order := range orders {
		e, listed, err := l.Lookup(ctx, order.Target())
		if err != nil {
			return err
		}
		if !listed || e.Monitor || !e.Expires.IsZero() {
			continue
		}
		for c, err := range l.Unreleased(ctx) {
			if err != nil {
				return err
			}
			listed = listed && c.Entry.Target() != order.Target()
		}
		if listed {
			return fmt.Errorf("ordering %q: %w, by serial %d", order.Target(), ErrListed, serial)
		}
	}
	return nil
}

// signOrders signs a document of urgent orders, records the operation, and stores the document, which puts the orders
// in force.
func (l *Ledger) signOrders(ctx context.Context, h *orderHistory, doc []byte, officer crypto.Signer, c Audit) error {
	doc, orders, err := h.sign(doc, officer)
	if err != nil {
		return err
	}
	c.Author = h.officer(officer)
	c.Reason = because(h.describe(orders.Entries), c.Reason)
	if err := l.history.Record(ctx, KindUrgent, c, nil); err != nil {
		return err
	}
	return l.keepOrders(orders.Version, doc)
}

func (l *Ledger) keepOrders(version int64, doc []byte) error {
	if err := disk.MkdirAll(l.path(urgentDir)); err != nil {
		return err
	}
	return disk.WriteFile(l.path(urgentDir, trust.UrgentName(version)), doc, disk.Inherit)
}
