package main

import (
	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/publish"
)

func (a *app) newRoot() *cobra.Command {
	var change publish.RootChange
	var urgent publish.UrgentLimits
	var c publish.Audit
	var origin string
	var add []string
	cmd := &cobra.Command{
		Use:   "root",
		Short: "Make the next root: other officers, another threshold or origin key, or a new expiry",
		Long: `Make the next root, which says who may sign: with other officers, another threshold or another key of the origin, or,
without any of these, with a new expiry.

The next root takes effect when enough officers of the previous root and enough officers of the next root have signed it
("sign"). "push" brings it to the origin and so to the subscribers. If too few of the remaining officers have signed the
newest release, make and sign another release before the push.`,
		Example: `  blocklist -C DIR root --add-officer dora.pub --remove-officer anna --reason "anna has lost her key"
  blocklist -C DIR root --origin-key ORIGIN/online-2.pub
  blocklist -C DIR root`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if cmd.Flags().Changed("threshold") && change.Threshold < 1 {
				return usage("--threshold must be at least 1")
			}
			if change.Add, err = readKeyFiles(add); err != nil {
				return err
			}
			if origin != "" {
				if change.OriginKey, err = readKeyFile(origin); err != nil {
					return err
				}
			}
			if cmd.Flags().Changed("urgent-entries") || cmd.Flags().Changed("urgent-hours") {
				change.Urgent = &urgent
			}
			if err := completeUrgent(cmd, &urgent); err != nil {
				return err
			}
			return a.withLedger(func(l *publish.Ledger) error {
				p, err := l.NewRoot(cmd.Context(), change, c)
				if err != nil {
					return err
				}
				a.describe(p)
				a.result(p)
				a.next("blocklist -C %s sign --key OFFICER.key", a.dir)
				return nil
			})
		},
	}
	causeFlags(cmd, &c)
	urgentFlags(cmd, &urgent)
	cmd.Flags().BoolVar(&change.Confidential, "confidential", false, confidentialUsage)
	cmd.Flags().StringArrayVar(&add, "add-officer", nil, "a `FILE` with the public key of a new officer; once for each")
	cmd.Flags().StringArrayVar(&change.Remove, "remove-officer", nil, "the `NAME` of an officer who may sign no longer; once for each")
	cmd.Flags().IntVar(&change.Threshold, "threshold", 0, "the number `N` of officers who must sign (default: as before)")
	cmd.Flags().StringVar(&origin, "origin-key", "", "the `FILE` with the new public key of the origin")
	return cmd
}
