package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/cmd/internal/unknown"
)

func (a *app) undo() *cobra.Command {
	var c publish.Audit
	cmd := &cobra.Command{
		Use:   "undo OPERATION",
		Short: "Reverse an operation: what it changed is as before",
		Long: `Reverse what an operation changed, as an operation of its own: orders that it gave are withdrawn, orders that it withdrew
are given again, orders that it changed are as before. blocklist log shows the numbers of operations.

If a later operation has changed the same orders, undo fails and nothing changes: undo the later operation first.`,
		Example: `  blocklist -C DIR undo 17 --reason "the wrong file"`,
		Args:    args(unknown.Args(1, 1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil || id < 1 {
				return usage("operation %q: a number is needed, as blocklist log shows it", args[0])
			}
			return a.withLedger(func(l *publish.Ledger) error {
				r, err := l.Undo(cmd.Context(), id, c)
				if err != nil {
					return err
				}
				a.result(r)
				a.printResult(r, true)
				return nil
			})
		},
	}
	authorFlag(cmd, &c.Author)
	cmd.Flags().StringVar(&c.Reason, "reason", "", "the reason, a `TEXT` for the ledger")
	overrideFlag(cmd, &c.Override)
	return cmd
}
