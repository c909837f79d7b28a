package main

import (
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/publish"
)

func (a *app) keygen() *cobra.Command {
	var out, name string
	var plain bool
	cmd := &cobra.Command{
		Use:   "keygen -o FILE.key",
		Short: "Make an officer's key pair",
		Long: `Make an officer's key pair: FILE.key, which the officer keeps secret, and FILE.pub, which init needs.

The private key is encrypted with a passphrase, which is asked for at the terminal or taken from
` + passphraseVariable + `. No file is overwritten.`,
		Example: "  blocklist keygen -o anna.key",
		Args:    args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			if out == "" {
				return usage("-o says where the key goes")
			}
			base := strings.TrimSuffix(out, ".key")
			if name == "" {
				name = filepath.Base(base)
			}
			phrase := ""
			if !plain {
				var err error
				if phrase, err = a.newPassphrase(); err != nil {
					return err
				}
			}
			public, err := publish.Keygen(out, base+".pub", name, phrase)
			if err != nil {
				return err
			}
			a.say("private key: %s, for %s alone\npublic key:  %s.pub\n%s", out, name, base, public)
			return nil
		},
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "the `file` for the private key; the public key gets the ending .pub")
	cmd.Flags().StringVar(&name, "name", "", "the officer's `name` (default: that of the file)")
	cmd.Flags().BoolVar(&plain, "no-passphrase", false, "leave the private key unprotected")
	return cmd
}
