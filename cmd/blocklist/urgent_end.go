package main

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/cmd/internal/unknown"
)

func (a *app) urgentKeep() *cobra.Command {
	var cause publish.Audit
	var expires timeFlag
	cmd := &cobra.Command{
		Use:   "keep [ENTRY...]",
		Short: "Put what urgent orders block into the list, so that the next release does not end it",
		Long: `Put what urgent orders block into the list, so that the next release does not end it. It is a change like that of "add": the
next release has it. Without an ENTRY, it is all that the next release would end; what "urgent end" lets end is left out.

Whatever an urgent order lasts, its entry stays in the list without an end, or with that of --expires.`,
		Example: `  blocklist -C DIR urgent keep --reason "the court has confirmed it"
  blocklist -C DIR urgent keep night.example --expires 2027-05-01 --reason "the court has confirmed it until May"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			targets, err := targetsOf(args)
			if err != nil {
				return err
			}
			return a.withLedger(func(l *publish.Ledger) error {
				r, err := l.KeepUrgentUntil(cmd.Context(), targets, expires.Time, cause)
				if err != nil {
					return err
				}
				a.result(r)
				a.printResult(r, true)
				if expires.IsZero() {
					a.printf("in the list without an end, from the next release on")
				} else {
					a.printf("in the list until %s, from the next release on", expires.Format(time.RFC3339))
				}
				return nil
			})
		},
	}
	causeFlags(cmd, &cause)
	cmd.Flags().Var(&expires, "expires", "the `DATE` or time at which the entries expire, such as 2027-05-01, or 30d for 30 days from now (default: never)")
	return cmd
}

// targetsOf returns the canonical targets of entries.
func targetsOf(args []string) (targets []string, err error) {
	entries, err := parseEntries(args)
	for _, e := range entries {
		targets = append(targets, e.Target())
	}
	return targets, err
}

func (a *app) urgentEnd() *cobra.Command {
	var cause publish.Audit
	cmd := &cobra.Command{
		Use:   "end ENTRY... --reason TEXT",
		Short: "Let urgent orders end with the next release, which does not list them",
		Long: `Let urgent orders end with the next release, which does not list them. Without it, such a release is neither made nor pushed.
The reason is recorded, and is part of the release that officers sign.
If an officer refuses that release, it has to be said again.`,
		Example: `  blocklist -C DIR urgent end https://live.example/1 --reason "the match is over"`,
		Args:    args(unknown.Args(1, -1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cause.Reason == "" {
				return usage("--reason is missing")
			}
			targets, err := targetsOf(args)
			if err != nil {
				return err
			}
			return a.withLedger(func(l *publish.Ledger) error {
				if err := l.EndUrgent(cmd.Context(), targets, cause); err != nil {
					return err
				}
				a.result(fields{"ending": targets})
				for _, target := range targets {
					a.printf("the order on %s ends with the next release", target)
				}
				return nil
			})
		},
	}
	causeFlags(cmd, &cause)
	return cmd
}

func (a *app) urgentCancel() *cobra.Command {
	var cause publish.Audit
	cmd := &cobra.Command{
		Use:     "cancel",
		Short:   "Drop the urgent orders that wait for a signature",
		Example: `  blocklist -C DIR urgent cancel --reason "asked for by mistake"`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withLedger(func(l *publish.Ledger) error {
				p, err := l.PendingUrgent(cmd.Context())
				if err != nil {
					return err
				}
				if err := l.CancelUrgent(cmd.Context(), p, cause); err != nil {
					return err
				}
				a.result(p)
				a.printf("cancelled: %s, asked for by %s; nothing of it is in force", p.What(), p.Author)
				return nil
			})
		},
	}
	causeFlags(cmd, &cause)
	return cmd
}

// printUrgentEnd prints what a release does to each urgent order in force: the order ends with the release, or the
// release blocks its target.
func (a *app) printUrgentEnd(ctx context.Context, l *publish.Ledger, p *publish.Pending) error {
	o, err := l.Urgent(ctx)
	if err != nil {
		return err
	}
	ending, err := l.Ending(ctx, p)
	for _, e := range o.Entries {
		if slices.ContainsFunc(ending, func(other publish.EndingOrder) bool { return other.Target() == e.Target() }) {
			a.printf("  urgent       the order on %s ends with this release", e.Target())
		} else {
			a.printf("  urgent       what the order on %s blocks stays blocked", e.Target())
		}
	}
	return err
}
