package main

import (
	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/publish"
)

func (a *app) sign() *cobra.Command {
	var key string
	var yes bool
	cmd := &cobra.Command{
		Use:   "sign --key FILE.key",
		Short: "Sign what is pending: the root first, releases later",
		Long: `Sign what is pending: the root first, releases later. It shows what that is, in words and numbers, read from the
very bytes that the signature covers, and asks before it signs.`,
		Example: "  blocklist -C DIR sign --key anna.key",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withLedger(func(l *publish.Ledger) error { return a.runSign(cmd, l, key, yes) })
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "the `file` with the officer's private key")
	cmd.Flags().BoolVar(&yes, "yes", false, "sign without asking")
	required(cmd, "key")
	return cmd
}

func (a *app) runSign(cmd *cobra.Command, l *publish.Ledger, key string, yes bool) error {
	p, err := l.Pending()
	if err != nil {
		return err
	}
	a.describe(p)
	if p.Serial > 0 {
		if err := a.sayChanges(l.Review(p)); err != nil {
			return err
		}
	}
	if !yes {
		if err := a.confirm("sign this?"); err != nil {
			return err
		}
	}
	officer, err := publish.LoadKey(key, func() (string, error) { return a.passphrase("passphrase of " + key + ": ") })
	if err != nil {
		return err
	}
	if p, err = l.Sign(cmd.Context(), p, officer); err != nil {
		return err
	}
	a.say("signed: %s", signatures(p))
	if p.Enough() && p.Serial > 0 {
		a.say("next: blocklist -C %s push ORIGIN", a.dir)
	}
	return nil
}
