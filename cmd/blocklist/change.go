package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
)

func (a *app) add() *cobra.Command {
	var c publish.Audit
	var attributes attributeFlags
	cmd := &cobra.Command{
		Use:   "add ENTRY...",
		Short: "List names, URLs or addresses",
		Long: `List names, URLs or addresses. An entry that is there already gets the new attributes.

  example.com                 that name and every name below it
  =www.example.com            that name alone
  https://host.example/path   that path; with /* at the end everything below it
  192.0.2.0/24                those addresses

An entry may carry its attributes: "example.com status=monitor".

What the guards hold, such as a public suffix or a protected name, is not listed; see blocklist guard.`,
		Example: `  blocklist -C DIR add example.com --category test --ref "order 2026/17" --reason "as ordered" --expires 2027-05-01`,
		Args:    args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := attributes.check(c.Reference); err != nil {
				return err
			}
			entries, err := parseEntries(args)
			if err != nil {
				return err
			}
			for i, e := range entries {
				entries[i] = attributes.fill(e, c.Reference)
			}
			return a.changeLedger(cmd.Context(), entries, c, (*publish.Ledger).Add)
		},
	}
	causeFlags(cmd, &c)
	overrideFlag(cmd, &c.Override)
	attributes.add(cmd)
	return cmd
}

func (a *app) remove() *cobra.Command {
	var c publish.Audit
	cmd := &cobra.Command{
		Use:     "remove ENTRY...",
		Short:   "Take entries off the list",
		Example: `  blocklist -C DIR remove example.com --ref "revocation 2026/44" --reason "the site was cleaned"`,
		Args:    args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			entries, err := parseEntries(args)
			if err != nil {
				return err
			}
			return a.changeLedger(cmd.Context(), entries, c, (*publish.Ledger).Remove)
		},
	}
	causeFlags(cmd, &c)
	return cmd
}

func parseEntries(lines []string) ([]blocklist.Entry, error) {
	entries := make([]blocklist.Entry, len(lines))
	for i, line := range lines {
		var err error
		if entries[i], err = blocklist.ParseEntry(line); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

// change is a method of the ledger that adds or removes entries.
type change func(*publish.Ledger, context.Context, []blocklist.Entry, publish.Audit) (publish.ChangeResult, error)

func (a *app) changeLedger(ctx context.Context, entries []blocklist.Entry, c publish.Audit, change change) error {
	return a.withLedger(func(l *publish.Ledger) error {
		r, err := change(l, ctx, entries, c)
		if err != nil {
			return err
		}
		a.printResult(r)
		return nil
	})
}
