package main

import (
	"context"
	"iter"
	"time"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
)

// maxShown is how many changed lines are shown before the rest is only counted.
const maxShown = 20

func (a *app) release() *cobra.Command {
	var author, override string
	cmd := &cobra.Command{
		Use:   "release",
		Short: "Make the next release, unsigned, and show what it would change",
		Long: `Make the next release, unsigned, and show what it would change. Entries past their expiry are taken off first.

A release that is pending for an older state of the list is replaced, and its signatures with it.

What the guards hold is not released; blocklist guard shows what they found. --override says why it may pass: that is
recorded, and signed with the release for every subscriber to see. Their own guards hold it all the same, until they
accept it.`,
		Example: `  blocklist -C DIR release
  blocklist -C DIR release --override "court order 2026/17 is for the whole platform"`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withLedger(func(l *publish.Ledger) error {
				if override != "" {
					r, err := l.Override(cmd.Context(), publish.Audit{Author: author, Reason: override})
					if err != nil {
						return err
					}
					a.sayFindings(r)
				}
				p, replaced, err := l.Release(cmd.Context(), author)
				if err != nil {
					return err
				}
				if replaced {
					a.say("the release that was pending is replaced, with its signatures")
				}
				a.describe(p)
				if err := a.sayRelease(cmd.Context(), l, p); err != nil {
					return err
				}
				a.say("next: blocklist -C %s sign --key OFFICER.key", a.dir)
				return nil
			})
		},
	}
	authorFlag(cmd, &author)
	overrideFlag(cmd, &override)
	return cmd
}

// describe tells what is pending, in words.
func (a *app) describe(p *publish.Pending) {
	a.say("%s", p.What())
	a.say("  valid until  %s", p.Expires.Format(time.DateOnly))
	if p.Root > 0 {
		for _, key := range p.Keys {
			a.say("  officer      %s", key)
		}
		a.say("  fingerprint  %s", p.Fingerprint())
		a.say("  threshold    %d", p.Threshold)
		a.say("  origin       %s", p.Online)
		a.say("  urgent       %s", p.Urgent)
		if p.Confidential {
			a.say("  confidential encrypted to the subscribers of the list")
		}
		for _, change := range p.Changes {
			a.say("  change       %s", change)
		}
	} else {
		a.say("  entries      %s", thousands(p.Entries))
		a.say("  digest       %s", p.Digest)
		a.say("  ledger       %s", p.Ledger)
		if p.Override != "" {
			a.say("  overridden   the guards held it; %s", p.Override)
		}
	}
	a.say("  signatures   %s", signatures(p))
}

// sayOperations says who made the changes of a release, and why: the first of them, up to a limit.
func (a *app) sayOperations(operations iter.Seq2[publish.Operation, error], limit int) error {
	var shown []string
	var n uint64
	for o, err := range operations {
		if err != nil {
			return err
		}
		if n++; len(shown) < limit {
			shown = append(shown, operationText(o))
		}
	}
	a.say("  operations   %s", thousands(n))
	for _, line := range shown {
		a.say("    %s", line)
	}
	if more := n - uint64(len(shown)); more > 0 {
		a.say("    and %s more", thousands(more))
	}
	return nil
}

// sayRelease tells what a release changes, who changed it, and why.
func (a *app) sayRelease(ctx context.Context, l *publish.Ledger, p *publish.Pending) error {
	if err := a.sayOperations(l.PendingOperations(ctx, p), maxShown); err != nil {
		return err
	}
	if err := a.sayReaders(ctx, l, p); err != nil {
		return err
	}
	if err := a.sayOrdersEnd(ctx, l); err != nil {
		return err
	}
	return a.sayChanges(l.Review(p), "blocklist -C "+a.dir+" pending")
}

// sayChanges counts changes and shows the first of them. All is the command that shows all of them.
func (a *app) sayChanges(changes iter.Seq2[blocklist.Change, error], all string) error {
	var added, removed uint64
	var shown []string
	for c, err := range changes {
		if err != nil {
			return err
		}
		if c.Removed {
			removed++
		} else {
			added++
		}
		if len(shown) < maxShown {
			shown = append(shown, changeText(c))
		}
	}
	a.say("  changes      %s, %s", plural(added, "line comes", "lines come"), plural(removed, "line goes", "lines go"))
	for _, line := range shown {
		a.say("    %s", line)
	}
	if more := added + removed - uint64(len(shown)); more > 0 {
		a.say("    and %s more; %s shows all, as it is signed", thousands(more), all)
	}
	return nil
}
