package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
)

func (a *app) urgent() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "urgent",
		Short: "List as one officer alone, where the root allows it: a few entries, for some hours",
		Long: `List as one officer alone, where the root allows it: a few entries, for some hours. Subscribers enforce both limits.

The orders lie on top of the newest release and end with the next one: what is to stay, "add" and release it, too.`,
		Args: args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			return usage("urgent add, urgent remove, urgent list or urgent push")
		},
	}
	cmd.AddCommand(a.urgentAdd(), a.urgentRemove(), a.urgentList(), a.urgentPush())
	return cmd
}

func (a *app) urgentAdd() *cobra.Command {
	var o order
	var attributes attributeFlags
	cmd := &cobra.Command{
		Use:     "add ENTRY... --key FILE.key|agent:NAME",
		Short:   "Order entries, signed by one officer",
		Example: `  blocklist -C DIR urgent add example.com --ref "order 2026/17" --key anna.key`,
		Args:    args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := attributes.check(o.cause.Reference); err != nil {
				return err
			}
			entries, err := parseEntries(args)
			if err != nil {
				return err
			}
			for _, e := range entries {
				o.change.Add = append(o.change.Add, attributes.fill(e, o.cause.Reference))
			}
			return a.order(cmd, o)
		},
	}
	o.flags(cmd)
	attributes.add(cmd)
	return cmd
}

func (a *app) urgentRemove() *cobra.Command {
	var o order
	cmd := &cobra.Command{
		Use:     "remove ENTRY... --key FILE.key|agent:NAME",
		Short:   "Withdraw orders, signed by one officer",
		Example: `  blocklist -C DIR urgent remove example.com --reason "a mistake" --key anna.key`,
		Args:    args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			entries, err := parseEntries(args)
			if err != nil {
				return err
			}
			for _, e := range entries {
				o.change.Remove = append(o.change.Remove, e.Target())
			}
			return a.order(cmd, o)
		},
	}
	o.flags(cmd)
	return cmd
}

// order has the flags of the commands for urgent orders.
type order struct {
	change publish.UrgentChange
	cause  publish.Audit
	key    string
	yes    bool
}

func (o *order) flags(cmd *cobra.Command) {
	causeFlags(cmd, &o.cause)
	cmd.Flags().StringVar(&o.key, "key", "", "the `FILE` with the officer's private key, or agent:NAME")
	cmd.Flags().BoolVar(&o.yes, "yes", false, "sign without asking")
	required(cmd, "key")
}

func (a *app) order(cmd *cobra.Command, o order) error {
	return a.withLedger(func(l *publish.Ledger) error {
		for _, e := range o.change.Add {
			a.printf("  +%s", e)
		}
		for _, target := range o.change.Remove {
			a.printf("  -%s", target)
		}
		if !o.yes {
			if err := a.confirm("order this alone?"); err != nil {
				return err
			}
		}
		officer, err := a.loadKey(o.key)
		if err != nil {
			return err
		}
		orders, err := l.SignUrgent(cmd.Context(), o.change, officer, o.cause)
		if err != nil {
			return err
		}
		a.printUrgent(orders)
		a.printf("next: blocklist -C %s urgent push ORIGIN", a.dir)
		return nil
	})
}

func (a *app) printUrgent(o publish.UrgentList) {
	a.printf("urgent orders %d, on top of serial %d; %s may follow", o.Number, o.Serial, plural(uint64(o.Left), "more target", "more targets"))
	for _, e := range o.Entries {
		a.printf("  %s", e)
	}
}

// printUrgentEnd prints which urgent orders the next release ends, and which it lists for good.
func (a *app) printUrgentEnd(ctx context.Context, l *publish.Ledger) error {
	o, err := l.Urgent(ctx)
	if err != nil {
		return err
	}
	for _, e := range o.Entries {
		_, listed, err := l.Lookup(ctx, e.Target())
		switch {
		case err != nil:
			return err
		case listed:
			a.printf("  urgent       the order on %s becomes an entry", e.Target())
		default:
			a.printf("  urgent       the order on %s ends with this release", e.Target())
		}
	}
	return nil
}

func (a *app) urgentList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "Show the urgent orders that have not ended",
		Example: "  blocklist -C DIR urgent list",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withLedger(func(l *publish.Ledger) error {
				o, err := l.Urgent(cmd.Context())
				if err != nil {
					return err
				}
				return printAll(a, asJSON, each(o.Entries), toJSON, blocklist.Entry.String)
			})
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func (a *app) urgentPush() *cobra.Command {
	var author string
	cmd := &cobra.Command{
		Use:     "push URL|ORIGIN",
		Short:   "Bring the urgent orders to an origin, whatever else is pending",
		Example: "  blocklist -C DIR urgent push https://origin.example",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withLedger(func(l *publish.Ledger) error {
				o, err := l.PushUrgent(cmd.Context(), deliverTo(args[0]), publish.Audit{Author: author, Reason: args[0]})
				if err != nil {
					return err
				}
				a.printf("pushed urgent orders %d, %s, to %s", o.Number, plural(uint64(len(o.Entries)), "entry", "entries"), args[0])
				return nil
			})
		},
	}
	authorFlag(cmd, &author)
	return cmd
}
