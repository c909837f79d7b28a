package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/publish"
)

func (a *app) discard() *cobra.Command {
	var cause publish.Audit
	var yes bool
	cmd := &cobra.Command{
		Use:   "discard --reason TEXT",
		Short: "Drop the pending release without an officer's key, and record why",
		Long: `Drop the pending release, with its signatures, without an officer's key, and record who did so and why. The entries stay
the same: correct them, then make another release. The command says whose signatures become void, and asks first.

An officer who does not agree to sign refuses instead: see blocklist refuse.`,
		Example: `  blocklist -C DIR discard --reason "an entry is missing"`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cause.Reason == "" {
				return usage("--reason is missing")
			}
			return a.withLedger(func(l *publish.Ledger) error { return a.runDiscard(cmd, l, cause, yes) })
		},
	}
	authorFlag(cmd, &cause.Author)
	cmd.Flags().StringVar(&cause.Reason, "reason", "", "the reason, a `TEXT` for the ledger")
	cmd.Flags().BoolVar(&yes, "yes", false, "discard it without asking")
	return cmd
}

func (a *app) runDiscard(cmd *cobra.Command, l *publish.Ledger, cause publish.Audit, yes bool) error {
	p, err := l.Pending()
	if err != nil {
		return err
	}
	a.describe(p)
	if len(p.Signed) > 0 {
		a.printf("these signatures become void: %s", strings.Join(p.Signed, ", "))
	}
	if !yes {
		err := a.confirm("discard this?")
		if errors.Is(err, errNotSigned) {
			err = errors.New("you did not say yes; nothing was discarded")
		}
		if err != nil {
			return err
		}
	}
	if err := l.Discard(cmd.Context(), p, cause); err != nil {
		return err
	}
	a.result(p)
	a.printf("discarded: %s; nothing of it is in force", p.What())
	return a.printUsedUp(cmd.Context(), l, "the next release has the serial after it")
}
