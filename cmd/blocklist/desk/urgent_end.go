package desk

import (
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist/publish"
)

// endingOrders are the urgent orders that a release would end, although it does not list what they block.
type endingOrders struct {
	Orders []publish.EndingOrder
	Next   []publish.EndingOrder // the same, of a release that would be made now
}

// Open reports whether one of them may not end yet: the release is held.
func (e *endingOrders) Open() bool { return e != nil && slices.ContainsFunc(e.Orders, isOpen) }

// Kept reports whether one of them can be put into the list.
func (e *endingOrders) Kept() bool { return slices.ContainsFunc(e.Next, isOpen) }

// Listed reports whether they are all in the list by now, and only the release lacks them.
func (e *endingOrders) Listed() bool { return e.Open() && !e.Kept() }

// Targets returns those that may not end yet, one a line.
func (e *endingOrders) Targets() string {
	var all []string
	for _, o := range e.Orders {
		if isOpen(o) {
			all = append(all, o.Target())
		}
	}
	return strings.Join(all, "\n")
}

func isOpen(o publish.EndingOrder) bool { return !o.Accepted }

func isSigned(o publish.EndingOrder) bool { return !o.Waiting }

// endingWith returns the urgent orders that end with the pending release, or with one that would be made now; nil if
// there are none. If there is nothing to release, orders that no one has signed do not count.
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

// endingUrgent returns how many signed urgent orders end although no one has put what they block into the list, or lets
// them end.
func (v *visit) endingUrgent() (n uint64, err error) {
	if v.now.Urgent == nil {
		return 0, nil
	}
	orders, err := v.ledger.Ending(v.r.Context(), nil)
	for _, o := range orders {
		if isOpen(o) && isSigned(o) {
			n++
		}
	}
	return n, err
}

// keepUrgent puts what urgent orders block into the list.
func (v *visit) keepUrgent() error {
	_, err := v.ledger.KeepUrgent(v.r.Context(), publish.Audit{Author: v.person.Name})
	return v.then(err, "/pending")
}

// endUrgent lets the urgent orders of a form end.
func (v *visit) endUrgent() error {
	by := publish.Audit{Author: v.person.Name, Reason: v.value("reason")}
	return v.then(v.ledger.EndUrgent(v.r.Context(), strings.Fields(v.value("entries")), by), "/pending")
}
