package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/publish"
)

func (a *app) backup() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "backup -o FILE",
		Short: "Write the agency's folder to a file, while others go on working",
		Long: `Write the agency's folder at one moment to a tar file, while others go on working. Unpacked into an empty folder, it is a ledger
again. If releases were pushed after the backup, blocklist recover brings the ledger up to date.

The file is as confidential as the folder: it has the list in plain text, and the keys of a confidential list.`,
		Example: `  blocklist -C DIR backup -o backup.tar
  tar -xf backup.tar -C RESTORED`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withLedger(func(l *publish.Ledger) error {
				if err := writeFileMode(file, 0o600,
					func(w io.Writer) error { return l.WriteBackup(cmd.Context(), w) }); err != nil {
					return err
				}
				a.result(fields{"file": file})
				a.printf("wrote the folder %s to %s; keep it on another machine", a.dir, file)
				return nil
			})
		},
	}
	cmd.Flags().StringVarP(&file, "output", "o", "", "the `FILE` to write")
	required(cmd, "output")
	return cmd
}
