package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/publish"
)

// dueOrder is an order whose expiry or review date has passed or comes soon.
type dueOrder struct {
	Date  time.Time `json:"date"`
	What  string    `json:"what"` // review, expires or expired
	Order entryJSON `json:"order"`
}

func (a *app) due() *cobra.Command {
	var asJSON bool
	within := timeFlag{time.Now()}
	cmd := &cobra.Command{
		Use:   "due",
		Short: "Show the orders that are to be reviewed, have expired or expire soon",
		Long: `Show the orders that are to be reviewed, have expired or expire soon, one a line, by date. The exit code is 3 if there are any.

An expired order no longer blocks. The next blocklist release withdraws it.`,
		Example: `  blocklist -C DIR due --within 30d > due.txt || mail -s "orders due" anna@police.example < due.txt`,
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withLedger(func(l *publish.Ledger) error {
				due, err := dueOrders(cmd.Context(), l, within.Time)
				if err != nil {
					return err
				}
				same := func(d dueOrder) dueOrder { return d }
				text := func(d dueOrder) string {
					return fmt.Sprintf("%s  %-7s  %s  %s", d.Date.Format(time.DateOnly), d.What, d.Order.Target, cmp.Or(d.Order.Reference, "-"))
				}
				if err := printAll(a, asJSON, each(due), same, text); err != nil || len(due) == 0 {
					return err
				}
				return exitError{code: exitAttention}
			})
		},
	}
	cmd.Flags().Var(&within, "within", "up to this `DATE`, or for a number of days from now, such as 30d (default: now)")
	cmd.Flags().Lookup("within").DefValue = ""
	jsonFlag(cmd, &asJSON)
	return cmd
}

// dueOrders returns the orders that are due up to a time, sorted by date and target. An order may appear twice: for its
// expiry and for its review.
func dueOrders(ctx context.Context, l *publish.Ledger, until time.Time) (due []dueOrder, err error) {
	now := time.Now()
	for o, err := range l.Due(ctx, until) {
		if err != nil {
			return nil, err
		}
		what := "expires"
		if !o.Expires.After(now) {
			what = "expired"
		}
		for _, d := range []dueOrder{{o.Review, "review", toJSON(o)}, {o.Expires, what, toJSON(o)}} {
			if !d.Date.IsZero() && !d.Date.After(until) {
				due = append(due, d)
			}
		}
	}
	slices.SortFunc(due, func(a, b dueOrder) int {
		return cmp.Or(a.Date.Compare(b.Date), cmp.Compare(a.Order.Target, b.Order.Target), cmp.Compare(a.What, b.What))
	})
	return due, nil
}
