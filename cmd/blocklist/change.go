package main

import (
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
		Long: `List names, URLs or addresses.

  example.com                 that name and every name below it
  =www.example.com            that name alone
  https://host.example/path   that path; with /* at the end everything below it
  192.0.2.0/24                those addresses

An entry may carry its attributes: "example.com status=monitor".

An entry rests on orders, which differ in their reference, and stays listed while one stands. On an entry that is listed already, add
gives a further order; or, if an order with this reference stands, changes it: what is not given stays as it is.

What the guards hold, such as a public suffix or a protected name, is not listed; see blocklist guard. Nor is what breaks a
rule of the list; see blocklist rules.`,
		Example: `  blocklist -C DIR add example.com --category test --ref "order 2026/17" --reason "as ordered" --expires 2027-05-01 --review 90d`,
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
			return a.withLedger(func(l *publish.Ledger) error {
				r, err := l.Add(cmd.Context(), entries, c)
				if err != nil {
					return err
				}
				a.printResult(r, false)
				return a.printNotes(cmd.Context(), l, args, entries)
			})
		},
	}
	causeFlags(cmd, &c)
	overrideFlag(cmd, &c.Override)
	attributes.add(cmd)
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
