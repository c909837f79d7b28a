package desk

import (
	"cmp"
	"context"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
)

// duePage has the orders that need a person's attention because of their dates.
type duePage struct {
	table[blocklist.Entry]
	What   string // the view: review, expired or expiring; empty: all
	Now    time.Time
	Ending uint64 // number of signed urgent orders that the next release would end and that need a decision
}

// Overdue reports whether a date is set and has come. A zero time is a date that is not set.
func (p duePage) Overdue(date time.Time) bool { return !date.IsZero() && !date.After(p.Now) }

func (v *visit) due() error {
	p := duePage{What: v.r.URL.Query().Get("what"), Now: time.Now()}
	all, err := v.orders.get(v.r.Context(), v.now.Head.Hash, func(ctx context.Context) (all []blocklist.Entry, err error) {
		return first(v.ledger.Due(ctx, time.Now().Add(publish.ExpiringSoon)))
	})
	if err != nil {
		return err
	}
	var rows []blocklist.Entry
	for _, o := range all {
		if p.has(o) {
			rows = append(rows, o)
		}
	}
	p.table, err = newTable(v.r.URL, rows, "expires", map[string]column[blocklist.Entry]{
		"target":    func(a, b blocklist.Entry) int { return cmp.Compare(a.Target(), b.Target()) },
		"category":  func(a, b blocklist.Entry) int { return cmp.Compare(a.Category, b.Category) },
		"reference": func(a, b blocklist.Entry) int { return cmp.Compare(a.Reference, b.Reference) },
		"expires":   func(a, b blocklist.Entry) int { return later(a.Expires, b.Expires) },
		"review":    func(a, b blocklist.Entry) int { return later(a.Review, b.Review) },
	})
	if err != nil {
		return err
	}
	p.Ending = v.now.ending
	return v.show("due", "due.title", p)
}

// has reports whether the view of the page shows an order.
func (p duePage) has(o blocklist.Entry) bool {
	review, expired := p.Overdue(o.Review), p.Overdue(o.Expires)
	expiring := !expired && !o.Expires.IsZero() && o.Expires.Before(p.Now.Add(publish.ExpiringSoon))
	switch p.What {
	case "review":
		return review
	case "expired":
		return expired
	case "expiring":
		return expiring
	}
	return review || expired || expiring
}
