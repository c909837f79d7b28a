package main

import (
	"fmt"
	"iter"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/cmd/internal/unknown"
)

// fingerprintJSON is the JSON form of a file's fingerprint.
type fingerprintJSON struct {
	File        string `json:"file"`
	Fingerprint string `json:"fingerprint"`
}

func (a *app) fingerprint() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "fingerprint FILE...",
		Short: "Show the fingerprint of a root or a public key, to compare it by voice",
		Long: `Show the fingerprint of a root or of a public key: an officer's, an origin's, a subscriber's, or the one of a resolver that
signs receipts. The fingerprint is the beginning of a SHA-256 digest. Compare it by voice with the owner of the file: a file
that came by mail may have been exchanged on its way.`,
		Example: `  blocklist fingerprint root.json
  blocklist fingerprint anna.pub isp.pub`,
		Args: args(unknown.Args(1, -1)),
		RunE: func(_ *cobra.Command, args []string) error {
			same := func(f fingerprintJSON) fingerprintJSON { return f }
			text := func(f fingerprintJSON) string { return f.Fingerprint + "  " + f.File }
			return printAll(a, asJSON, fingerprints(args), same, text)
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

// fingerprints yields the fingerprints of files. It ends with the first error.
func fingerprints(paths []string) iter.Seq2[fingerprintJSON, error] {
	return func(yield func(fingerprintJSON, error) bool) {
		for _, path := range paths {
			f := fingerprintJSON{File: path}
			text, err := readAtMost(path, maxRoot)
			if err == nil {
				f.Fingerprint, err = publish.Fingerprint(text)
			}
			if err != nil {
				err = fmt.Errorf("%s: %w", path, err)
			}
			if !yield(f, err) || err != nil {
				return
			}
		}
	}
}
