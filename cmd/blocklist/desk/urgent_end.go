package desk

import (
	"context"
	"slices"

	"github.com/argine-dns/argine/blocklist/publish"
)

// endingOrders has the urgent orders that end with a release because it does not list their targets.
type endingOrders struct {
	Orders []publish.EndingOrder
	Next   []publish.EndingOrder // orders that would end with a release made now
}

// Open reports whether the end of one of the orders is not accepted yet. This holds the release.
func (e *endingOrders) Open() bool { return e != nil && slices.ContainsFunc(e.Orders, isOpen) }

// Kept reports whether the target of one of the orders can still be added to the list, to stay blocked.
func (e *endingOrders) Kept() bool { return slices.ContainsFunc(e.Next, isOpen) }

// Listed reports whether the list already has all targets of the orders, and only the pending release lacks them.
func (e *endingOrders) Listed() bool { return e.Open() && !e.Kept() }

func isOpen(o publish.EndingOrder) bool { return !o.Accepted }

func isSigned(o publish.EndingOrder) bool { return !o.Waiting }

// endingWith returns the urgent orders that end with the pending release p, or, if p is no release, with a release made
// now. It returns nil if there are none. If there is nothing to release, orders without a signature do not count.
func (v *visit) endingWith(p *publish.Pending) (*endingOrders, error) {
	if p != nil && !p.IsRelease() {
		p = nil
	}
	var e endingOrders
	var err error
	if e.Orders, err = v.ledger.Ending(v.r.Context(), p); err != nil || len(e.Orders) == 0 {
		return nil, err
	}
	if p == nil && v.now.unprepared() == 0 && !slices.ContainsFunc(e.Orders, isSigned) {
		return nil, nil //nolint:nilnil // see above
	}
	e.Next, err = v.ledger.Ending(v.r.Context(), nil)
	return &e, err
}

// endingUrgent returns the number of signed urgent orders that would end with a release made now and need a decision:
// their targets are not listed, and their end is not accepted.
func endingUrgent(ctx context.Context, l *publish.Ledger, signed *publish.UrgentList) (n uint64, err error) {
	if signed == nil {
		return 0, nil
	}
	orders, err := l.Ending(ctx, nil)
	for _, o := range orders {
		if isOpen(o) && isSigned(o) {
			n++
		}
	}
	return n, err
}
