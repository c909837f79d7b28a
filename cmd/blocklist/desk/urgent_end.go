package desk

import (
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

// Kept reports whether there is an order to keep: at least one target can still be added to the list, so that it stays
// blocked after the release.
func (e *endingOrders) Kept() bool { return slices.ContainsFunc(e.Next, isOpen) }

// Listed reports whether the list has the targets of the open orders by now. In this case, a release made now would not
// end these orders, unlike the pending release, which was made before.
func (e *endingOrders) Listed() bool { return e.Open() && !e.Kept() }

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
