package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/cmd/internal/unknown"
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
  192.0.2.0/24                the addresses of that network

An entry may have attributes of its own: category, ref, expires, review, status (block or monitor: counted, not blocked) and
added, as in "example.com category=test status=monitor".

An entry rests on one or more orders, each with its own reference. It stays listed while one of them stands. If the entry is
listed already, add gives a further order. If an order with this reference stands, add changes that order, and keeps the
attributes that are not given.

Entries that the guards hold, such as a public suffix or a protected name, are refused; see blocklist guard. Entries that
break a rule of the list are refused, too; see blocklist rules.`,
		Example: `  blocklist -C DIR add example.com --ref "order 2026/17" --reason "as ordered"
  blocklist -C DIR add =www.example.com https://host.example/path --category test --expires 2027-05-01 --review 90d
  blocklist -C DIR add "example.org status=monitor"`,
		Args: args(unknown.Args(1, -1)),
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
				a.result(r)
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
			return nil, withMeant(err, line)
		}
	}
	return entries, nil
}

// withMeant adds a hint to the error about a line: the argument that the user probably meant, quoted for a shell. The
// text of the error suggests it, too, but in a question, from which a user could copy the question mark as part of a
// URL.
func withMeant(err error, line string) error {
	entry := (*blocklist.EntryError)(nil)
	if !errors.As(err, &entry) || entry.Meant == "" {
		return err
	}
	meant := entry.Meant
	if _, attributes, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
		meant += " " + attributes
	}
	if _, wrong := blocklist.ParseEntry(meant); wrong != nil {
		return err
	}
	return withHint(err, "if so, give '%s'", strings.ReplaceAll(meant, "'", `'\''`))
}
