package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/publish"
)

func (a *app) fingerprint() *cobra.Command {
	return &cobra.Command{
		Use:   "fingerprint FILE...",
		Short: "Show the fingerprint of a root or a public key, to compare it by voice",
		Long: `Show the fingerprint of a root or of a public key: an officer's, an origin's, a subscriber's, or the one of a resolver that
signs receipts. The fingerprint is the beginning of a SHA-256 digest. Compare it by voice with the owner of the file: a file
that came by mail may have been exchanged on its way.`,
		Example: `  blocklist fingerprint root.json
  blocklist fingerprint anna.pub isp.pub`,
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			for _, path := range args {
				text, err := readAtMost(path, maxRoot)
				if err != nil {
					return err
				}
				fingerprint, err := publish.Fingerprint(text)
				if err != nil {
					return fmt.Errorf("%s: %w", path, err)
				}
				if _, err := fmt.Fprintf(a.stdout, "%s  %s\n", fingerprint, visible(path)); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
