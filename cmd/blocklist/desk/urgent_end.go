package desk

import (
	"context"
	"slices"

	"github.com/argine-dns/argine/blocklist/publish"
)

// endingOrders are the urgent orders that would end with a release which does not list their targets.
type endingOrders struct {
	Orders []publish.EndingOrder
	Next   []publish.EndingOrder // the same for a release that would be made now
}

// Open reports whether no one has accepted yet that one of the orders ends: this holds the release.
func (e *endingOrders) Open() bool { return e != nil && slices.ContainsFunc(e.Orders, isOpen) }

// Kept reports whether the target of one of the orders can still be listed, to keep it blocked.
func (e *endingOrders) Kept() bool { return slices.ContainsFunc(e.Next, isOpen) }

// Listed reports whether the list has all targets of the orders by now, and only the pending release lacks them.
func (e *endingOrders) Listed() bool { return e.Open() && !e.Kept() }

func isOpen(o publish.EndingOrder) bool { return !o.Accepted }

func isSigned(o publish.EndingOrder) bool { return !o.Waiting }

// endingWith returns the urgent orders that end with the pending release, or, if p is no release, with a release that
// would be made now. It returns nil if there are no such orders. If there is nothing to release, unsigned orders do not
// count.
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

// endingUrgent returns how many of the signed urgent orders would end with a release made now and still need a
// decision: no one has listed their targets, or accepted that the orders end.
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
