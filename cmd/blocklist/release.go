package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/publish"
)

func (a *app) release() *cobra.Command {
	var author, override string
	cmd := &cobra.Command{
		Use:   "release",
		Short: "Make the next release, unsigned, and show what it would change",
		Long: `Make the next release, unsigned, and show what it would change. Entries past their expiry are taken off first.

A pending release of an older state of the list is replaced, and its signatures are dropped.
If an officer has signed that release, its serial is not used again: serials only go up, and may have gaps.

If the guards hold the release, it is not made; blocklist guard shows their findings. --override makes it all the same, and
gives the reason. The reason is recorded and signed with the release, so every subscriber sees it. The subscribers' own guards
still hold the release until each subscriber accepts it.`,
		Example: `  blocklist -C DIR release
  blocklist -C DIR release --override "court order 2026/17 is for the whole platform"`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withLedger(func(l *publish.Ledger) error {
				if override != "" {
					done := a.during("asking the guards")
					r, err := l.Override(cmd.Context(), publish.Audit{Author: author, Reason: override})
					done()
					if err != nil {
						return err
					}
					a.printFindings(*r, maxShown)
				}
				done := a.during("making the release")
				p, replaced, err := l.Release(cmd.Context(), author)
				done()
				if err != nil {
					return err
				}
				if replaced {
					a.printf("the release that was pending is replaced, with its signatures")
				}
				if err := a.printUsedUp(cmd.Context(), l, fmt.Sprintf("this is serial %d", p.Serial)); err != nil {
					return err
				}
				a.describe(p)
				if err := a.printRelease(cmd.Context(), l, p); err != nil {
					return err
				}
				a.result(p)
				a.next("blocklist -C %s sign --key OFFICER.key", a.dir)
				return nil
			})
		},
	}
	authorFlag(cmd, &author)
	overrideFlag(cmd, &override)
	return cmd
}

// printUsedUp prints the serials above the last pushed one that are not used again, one per line. The text in the
// argument conclusion is added to the last line.
func (a *app) printUsedUp(ctx context.Context, l *publish.Ledger, conclusion string) error {
	skipped, err := l.Skipped(ctx)
	for i, s := range skipped {
		if i < len(skipped)-1 {
			a.printf("%s", s)
		} else {
			a.printf("%s; %s", s, conclusion)
		}
	}
	return err
}

// printRelease prints a pending release: its operations with authors and reasons, its readers, urgent orders that end,
// and the first changes.
func (a *app) printRelease(ctx context.Context, l *publish.Ledger, p *publish.Pending) error {
	if err := a.printOperations(l.PendingOperations(ctx, p), maxShown); err != nil {
		return err
	}
	if err := a.printReaders(p, func() (publish.Recipients, error) { return l.PendingRecipients(ctx, p) }); err != nil {
		return err
	}
	if err := a.printUrgentEnd(ctx, l, p); err != nil {
		return err
	}
	return a.printChanges(l.Review(p), "blocklist -C "+a.dir+" pending")
}
