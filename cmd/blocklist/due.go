package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
)

// dueOrder is one line of the output: an order that is to be reviewed, has expired or expires soon, or the number of
// proposals that wait for one kind of decision. In the second case, Order is nil.
type dueOrder struct {
	Date      time.Time  `json:"date"` // expiry or review date; for proposals: when the oldest was received
	What      string     `json:"what"` // review, expires or expired; for proposals: check or confirm
	Order     *entryJSON `json:"order,omitempty"`
	Proposals uint64     `json:"proposals,omitempty"` // number of proposals that wait for this decision
}

func (d dueOrder) String() string {
	text := fmt.Sprintf("%s  %-7s  ", d.Date.Format(time.DateOnly), d.What)
	if d.Order == nil {
		return text + plural(d.Proposals, "proposal waits", "proposals wait")
	}
	return text + d.Order.Target + "  " + cmp.Or(d.Order.Reference, "-")
}

func (a *app) due() *cobra.Command {
	var asJSON bool
	within := timeFlag{time.Now()}
	cmd := &cobra.Command{
		Use:   "due",
		Short: "Show the orders that are to be reviewed, have expired or expire soon, and how many proposals wait",
		Long: `Show the orders that are to be reviewed, have expired or expire soon, one a line, by date. The exit code is 3 if there are any.

An expired order no longer blocks. The next blocklist release withdraws it.

Proposals that wait for a first decision (check) or for a second one (confirm) are counted at the end, with the day on which the
oldest was received. They do not change the exit code.`,
		Example: `  blocklist -C DIR due --within 30d > due.txt || mail -s "orders due" anna@police.example < due.txt`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withLedger(func(l *publish.Ledger) error {
				due, err := dueOrders(cmd.Context(), l, within.Time)
				if err != nil {
					return err
				}
				waiting, err := waitingProposals(cmd.Context(), l)
				if err != nil {
					return err
				}
				same := func(d dueOrder) dueOrder { return d }
				if err := printAll(a, asJSON, each(append(due, waiting...)), same, dueOrder.String); err != nil || len(due) == 0 {
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

// dueOrders returns the orders whose expiry or review date is at or before a time, sorted by date and target. An order
// with both appears twice.
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
		order := toJSON(o)
		for _, d := range []dueOrder{{Date: o.Review, What: "review", Order: &order}, {Date: o.Expires, What: what, Order: &order}} {
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

// waitingProposals counts the proposals that wait to be checked, and those that wait to be confirmed.
func waitingProposals(ctx context.Context, l *publish.Ledger) (all []dueOrder, err error) {
	counts, err := proposal.Counts(ctx, l)
	if err != nil {
		return nil, err
	}
	for _, verb := range []proposal.Verb{proposal.Check, proposal.Confirm} {
		f := proposal.Filter{States: waitingStates(verb), Oldest: true, Limit: 1}
		oldest, err := proposal.List(ctx, l, f)
		if err != nil {
			return nil, err
		}
		if len(oldest) == 0 {
			continue
		}
		d := dueOrder{Date: oldest[0].Received, What: string(verb)}
		for _, c := range counts {
			if slices.Contains(f.States, c.State) {
				d.Proposals += c.Number
			}
		}
		all = append(all, d)
	}
	return all, nil
}
