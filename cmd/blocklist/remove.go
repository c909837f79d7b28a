package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
)

// removal has the options of remove.
type removal struct {
	input
	file, reference, decision string
	oneOrder                  bool // whether --ref is given: then only the order with that reference is withdrawn
}

func (a *app) remove() *cobra.Command {
	var c publish.Audit
	var o removal
	cmd := &cobra.Command{
		Use:   "remove [ENTRY...]",
		Short: "Withdraw orders: all of an entry, one of them, or an order on all its entries",
		Long: `Withdraw orders. An entry without any order left is no longer listed.

  remove ENTRY...           all orders of these entries
  remove ENTRY... --ref R   the order with the reference R of these entries
  remove ENTRY... --ref ""  the order without a reference of these entries
  remove --ref R            the order with the reference R of all entries
  remove -f FILE            as for ENTRY..., for all entries in a file of any format; - is standard input

Entries of a file that are not listed are counted, and the exit code is 3. Otherwise an entry that is not listed is an error, and
nothing changes.`,
		Example: `  blocklist -C DIR remove example.com --decision "revocation 2026/44" --reason "the site was cleaned"
  blocklist -C DIR remove --ref "order 2026/17" --reason "quashed on appeal"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.oneOrder = cmd.Flags().Changed("ref")
			if len(args) == 0 && o.file == "" && o.reference == "" {
				return usage("name entries, or a file with -f FILE, or an order with --ref TEXT")
			}
			entries, err := parseEntries(args)
			if err != nil {
				return err
			}
			c.Reference = cmp.Or(o.decision, o.reference)
			return a.withLedger(func(l *publish.Ledger) error { return a.runRemove(cmd.Context(), l, entries, &o, c) })
		},
	}
	authorFlag(cmd, &c.Author)
	cmd.Flags().StringVar(&c.Reason, "reason", "", "the reason, a `TEXT` for the ledger")
	cmd.Flags().StringVar(&o.decision, "decision", "", "the decision to withdraw, a `TEXT` for the ledger")
	cmd.Flags().StringVar(&o.reference, "ref", "", "the reference of the order that is withdrawn, a `TEXT`")
	cmd.Flags().StringVarP(&o.file, "file", "f", "", "a `FILE` with entries, - for standard input")
	o.flags(cmd, "format")
	return cmd
}

func (a *app) runRemove(ctx context.Context, l *publish.Ledger, entries []blocklist.Entry, o *removal,
	c publish.Audit,
) error {
	var done fileResult
	if o.file != "" {
		listed, err := a.listedIn(ctx, l, o, &done)
		if err != nil {
			return err
		}
		a.result(done)
		if entries = append(entries, listed...); len(entries) == 0 {
			return fmt.Errorf("removing what %s names: %w: none of it", o.file, publish.ErrNotListed)
		}
	}
	var err error
	if done.ChangeResult, err = removeOrders(ctx, l, entries, o, c); err != nil {
		return err
	}
	a.result(done)
	a.printResult(done.ChangeResult, false)
	if done.Missing > 0 {
		return exitError{exitAttention, fmt.Errorf("%s of %s NOT on the list; the others are removed", plural(done.Missing, "entry", "entries"), o.file)}
	}
	return nil
}

func removeOrders(ctx context.Context, l *publish.Ledger, entries []blocklist.Entry, o *removal, c publish.Audit) (
	publish.ChangeResult, error,
) {
	if o.oneOrder {
		return l.Withdraw(ctx, o.reference, entries, c)
	}
	return l.Remove(ctx, entries, c)
}

// listedIn returns the entries of a file that are listed, or, with --ref, have the order to be withdrawn. It prints the
// other entries, and counts them in result.Missing.
func (a *app) listedIn(ctx context.Context, l *publish.Ledger, o *removal, result *fileResult) (
	listed []blocklist.Entry, err error,
) {
	r, done, err := o.open(a, o.file)
	if err != nil {
		return nil, err
	}
	defer done()
	seen := map[string]bool{}
	for e, err := range r.Entries() {
		if err != nil {
			return nil, err
		}
		target := e.Target()
		if seen[target] {
			continue
		}
		seen[target] = true
		orders, err := l.Orders(ctx, target)
		if err != nil {
			return nil, err
		}
		e.Reference = o.reference
		if len(orders) == 0 || o.oneOrder && !slices.ContainsFunc(orders, sameOrder(e)) {
			if result.Missing++; result.Missing <= maxShown {
				a.printf("%s: not on the list", target)
			}
			continue
		}
		listed = append(listed, e)
	}
	a.printReport(r.Report())
	result.Read = readToJSON(r.Report())
	return listed, nil
}
