package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/publish"
)

func (a *app) bundle() *cobra.Command {
	var author, file string
	cmd := &cobra.Command{
		Use:   "bundle -o FILE",
		Short: "Write the signed release to a file, for where there is no network",
		Long: `Write the signed release to a file, for subscribers without a network: the pending release, or else the newest one.
Subscribers name the file in place of an origin (dnsfilter's 'from', blocklist pull), and verify it like a pushed release.
A file can't prove that no newer release exists.`,
		Example: "  blocklist -C DIR bundle -o /media/usb/release.tar",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withLedger(func(l *publish.Ledger) error {
				p, err := l.Bundle(cmd.Context(), deliverToFile(file), publish.Audit{Author: author, Reason: file})
				if err != nil {
					return err
				}
				a.printf("wrote %s, %s, to %s", p.What(), plural(p.Entries, "entry", "entries"), file)
				return a.endPush(l, fields{"file": file, "pushed": p})
			})
		},
	}
	authorFlag(cmd, &author)
	cmd.Flags().StringVarP(&file, "output", "o", "", "the `FILE` to write")
	required(cmd, "output")
	return cmd
}

// deliverToFile returns a transport that writes the bundle of a release to a file, in place of a push.
func deliverToFile(path string) publish.Transport {
	return func(_ context.Context, _ string, bundle io.Reader) error {
		return writeFile(path, func(w io.Writer) error {
			_, err := io.Copy(w, bundle)
			return err
		})
	}
}
