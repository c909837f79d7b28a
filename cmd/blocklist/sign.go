package main

import (
	"context"
	"crypto"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/keys"
)

func (a *app) sign() *cobra.Command {
	var key string
	var yes bool
	cmd := &cobra.Command{
		Use:   "sign --key FILE.key|agent:NAME",
		Short: "Sign what is pending: the root first, releases later",
		Long: `Sign what is pending: the root first, releases later. It shows what that is, in words and numbers, read from the
very bytes that the signature covers, and asks before it signs.

A root is signed by officers of the root before and by its own. The key may live in the ssh-agent: agent: and its comment or
SHA256:... fingerprint.`,
		Example: `  blocklist -C DIR sign --key anna.key
  blocklist -C DIR sign --key agent:anna@desk.example`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withLedger(func(l *publish.Ledger) error { return a.runSign(cmd, l, key, yes) })
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "the `file` with the officer's private key, or agent:NAME")
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
		if err := a.sayRelease(cmd.Context(), l, p); err != nil {
			return err
		}
	}
	if !yes {
		if err := a.confirm("sign this?"); err != nil {
			return err
		}
	}
	officer, err := a.loadKey(key)
	if err != nil {
		return err
	}
	if p, err = l.Sign(cmd.Context(), p, officer); err != nil {
		return err
	}
	a.say("signed: %s", signatures(p))
	return a.sayNext(cmd.Context(), l, p)
}

// loadKey returns an officer's key, and asks for its passphrase if it has one.
func (a *app) loadKey(key string) (crypto.Signer, error) {
	return keys.Load(key, func() (string, error) { return a.passphrase("passphrase of " + key + ": ") })
}

// sayNext tells what is to be done once there are enough signatures.
func (a *app) sayNext(ctx context.Context, l *publish.Ledger, p *publish.Pending) error {
	if !p.Enough() {
		return nil
	}
	s, err := l.Status(ctx)
	if err != nil {
		return err
	}
	for _, warning := range s.Warnings {
		a.say("warning: %s", warning)
	}
	if p.Serial > 0 || s.Released != nil {
		a.say("next: blocklist -C %s push ORIGIN", a.dir)
	}
	return nil
}
