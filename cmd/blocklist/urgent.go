package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/keys"
	"github.com/argine-dns/argine/cmd/internal/unknown"
)

func (a *app) urgent() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "urgent",
		Short: "List as one officer alone, where the root allows it: a few entries, for some hours",
		Long: `List as one officer alone, where the root allows it: a few entries, for some hours. Subscribers enforce both limits.

Urgent orders apply on top of the newest release and end with the next one. A release that would end one without listing its
target is held, until "urgent keep" lists it or "urgent end" lets it end.`,
		Example: `  blocklist -C DIR root --urgent-entries 5 --urgent-hours 24 --reason "nights and weekends"
  blocklist -C DIR urgent add example.com --ref "order 2026/17" --key anna.key
  blocklist -C DIR urgent push https://origin.example`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			return usage("a command is missing: urgent add, urgent remove, urgent keep, urgent end, urgent cancel, urgent list or urgent push")
		},
	}
	cmd.AddCommand(changing(a.urgentAdd()), changing(a.urgentRemove()), changing(a.urgentKeep()), changing(a.urgentEnd()),
		changing(a.urgentCancel()), changing(a.urgentPush()), a.urgentList())
	return cmd
}

func (a *app) urgentAdd() *cobra.Command {
	var o order
	var attributes attributeFlags
	cmd := &cobra.Command{
		Use:   "add ENTRY... --key FILE.key|agent:NAME",
		Short: "Order entries, signed by one officer",
		Long: `Order entries, signed by one officer. With --request, an officer on another machine signs the orders ("blocklist sign FILE"),
and "blocklist -C DIR sign --signature" adds the signature. The time of the orders begins now, not with the signature.
Orders that wait for a signature already are in the same request.`,
		Example: `  blocklist -C DIR urgent add example.com --ref "order 2026/17" --key anna.key
  blocklist -C DIR urgent add example.com --ref "order 2026/17" --request night.tar`,
		Args: args(unknown.Args(1, -1)),
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
		Args:    args(unknown.Args(1, -1)),
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
	change  publish.UrgentChange
	cause   publish.Audit
	key     string
	request requestFlags
	yes     bool
}

func (o *order) flags(cmd *cobra.Command) {
	causeFlags(cmd, &o.cause)
	cmd.Flags().StringVar(&o.key, "key", "", "the `FILE` with the officer's private key, or agent:NAME")
	cmd.Flags().StringVar(&o.request.out, "request", "", "the `FILE` for a signing request to an officer elsewhere, in place of --key")
	o.request.recipientFlag(cmd)
	cmd.Flags().BoolVar(&o.yes, "yes", false, "sign without asking")
}

func (a *app) order(cmd *cobra.Command, o order) error {
	switch {
	case (o.key == "") == (o.request.out == ""):
		return usage("--key FILE signs the orders, --request FILE asks an officer elsewhere: one of them is needed")
	case o.key != "":
		if err := keys.Check(o.key); err != nil {
			return err
		}
	}
	return a.withLedger(func(l *publish.Ledger) error {
		before, err := l.Urgent(cmd.Context())
		if err != nil {
			return err
		}
		a.printOrder(o.change, before)
		if o.key == "" {
			err = a.requestOrder(cmd.Context(), l, o)
		} else {
			err = a.signOrder(cmd.Context(), l, o)
		}
		if errors.Is(err, publish.ErrNotListed) {
			return withHint(err, "blocklist urgent list shows the urgent orders in force")
		}
		if errors.Is(err, blocklist.ErrHeld) {
			return withHint(err, "one officer alone can't override the guards: add it with a reason to override them, and release it with the quorum")
		}
		return err
	})
}

// signOrder asks the officer for consent, and signs urgent orders.
func (a *app) signOrder(ctx context.Context, l *publish.Ledger, o order) error {
	if !o.yes {
		if err := a.confirm("order this alone?"); err != nil {
			return err
		}
	}
	officer, err := a.loadKey(o.key)
	if err != nil {
		return err
	}
	orders, err := l.SignUrgent(ctx, o.change, officer, o.cause)
	if err != nil {
		return err
	}
	a.printUrgent(orders)
	a.next("blocklist -C %s urgent push ORIGIN", a.dir)
	return nil
}

// printOrder prints the entries that are ordered and withdrawn, and which orders will end earlier than requested.
func (a *app) printOrder(change publish.UrgentChange, before publish.UrgentList) {
	limit := time.Duration(before.Hours) * time.Hour
	for _, e := range change.Add {
		a.printf("  +%s", changeLine(blocklist.Change{Entry: e})[1:])
		if before.Hours > 0 && time.Until(e.Expires) > limit {
			a.printf("    it ends after %s at the latest, before %s: only a release lists it for longer", plural(uint64(before.Hours), "hour", "hours"), e.Expires.Format(time.RFC3339))
		}
	}
	for _, target := range change.Remove {
		a.printf("  -%s", target)
	}
}

// requestOrder writes a signing request for urgent orders.
func (a *app) requestOrder(ctx context.Context, l *publish.Ledger, o order) error {
	p, err := l.PrepareUrgent(ctx, o.change, o.cause)
	if err != nil {
		return err
	}
	a.describe(p)
	return a.writeRequest(ctx, l, p, o.request)
}

func (a *app) printUrgent(o publish.UrgentList) {
	a.result(urgentFields(o))
	a.printf("urgent orders %d, on top of serial %d; %s may follow", o.Number, o.Serial, plural(uint64(o.Left), "more target", "more targets"))
	for _, e := range o.Entries {
		a.printf("  %s", e)
	}
}

// urgentFields returns the fields of urgent orders for JSON.
func urgentFields(o publish.UrgentList) fields {
	entries := []entryJSON{}
	for _, e := range o.Entries {
		entries = append(entries, toJSON(e))
	}
	return fields{"number": o.Number, "serial": o.Serial, "entries": entries, "left": o.Left}
}

func (a *app) urgentList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "Show the urgent orders that have not ended",
		Example: "  blocklist -C DIR urgent list",
		Args:    noArgs,
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
		Args:    args(unknown.Args(1, 1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withLedger(func(l *publish.Ledger) error {
				o, err := l.PushUrgent(cmd.Context(), deliverTo(args[0]), publish.Audit{Author: author, Reason: args[0]})
				if err != nil {
					return err
				}
				a.result(fields{"origin": args[0], "pushed": urgentFields(o)})
				a.printf("pushed urgent orders %d, %s, to %s", o.Number, plural(uint64(len(o.Entries)), "entry", "entries"), args[0])
				a.warnWaiting(l)
				return nil
			})
		},
	}
	authorFlag(cmd, &author)
	return cmd
}
