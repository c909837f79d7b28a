package main

import (
	"context"
	"errors"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
)

// withLedger opens the agency's folder for one command.
func (a *app) withLedger(do func(*publish.Ledger) error) error {
	l, err := publish.Open(a.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return withHint(err, "-C DIR names the agency's folder; blocklist init makes one")
	}
	if err != nil {
		return err
	}
	defer l.Close() //nolint:errcheck // every change is on the disk already
	return do(l)
}

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

// change is a method of the ledger that changes given entries.
type change func(*publish.Ledger, context.Context, []blocklist.Entry, publish.Audit) (publish.ChangeResult, error)

func (a *app) changeLedger(ctx context.Context, entries []blocklist.Entry, c publish.Audit, change change) error {
	return a.withLedger(func(l *publish.Ledger) error {
		r, err := change(l, ctx, entries, c)
		if err != nil {
			return err
		}
		a.sayResult(r)
		return nil
	})
}

// sayResult tells what a change did.
func (a *app) sayResult(r publish.ChangeResult) {
	a.say("%s added, %s changed, %s removed, %s as before", thousands(r.Added), thousands(r.Changed), thousands(r.Removed), thousands(r.Unchanged))
	for _, f := range r.Findings {
		a.say("%s", f.Line())
	}
	if r.Refused > 0 {
		a.say("%s left out, as the guards hold them; --override WHY takes them", plural(r.Refused, "entry", "entries"))
	}
}
