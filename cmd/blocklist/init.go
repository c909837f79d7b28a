package main

import (
	"errors"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/cmd/internal/unknown"
)

func (a *app) init() *cobra.Command {
	var o publish.InitOptions
	var origin string
	var officers []string
	cmd := &cobra.Command{
		Use:   "init DIR --list NAME --origin-key FILE.pub --officer FILE.pub... --threshold N",
		Short: "Make the agency's folder for a new list",
		Long: `Make the agency's folder for a new list: an empty ledger, and the list's root, which says who may sign.

The root takes effect when as many officers as the threshold says have signed it.

Only your account can read the folder. With --shared-group the members of a group can read and change it: case workers, each
with their own account.

With --confidential the list is encrypted to its subscribers ("subscriber add"): neither the origin nor mirrors see an entry.`,
		Example: `  blocklist init DIR --list it.example/test --origin-key ORIGIN/online.pub --officer anna.pub --officer bruno.pub --threshold 2`,
		Args:    args(unknown.Args(1, 1)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if err := completeUrgent(cmd, &o.Urgent); err != nil {
				return err
			}
			if o.OriginKey, err = readKeyFile(origin); errors.Is(err, fs.ErrNotExist) {
				return withHint(err, "blocklist origin init ORIGIN makes the origin's folder, with the key ORIGIN/online.pub")
			}
			if err != nil {
				return err
			}
			if o.Officers, err = readKeyFiles(officers); err != nil {
				return err
			}
			if err := publish.Init(cmd.Context(), args[0], o); err != nil {
				return err
			}
			a.dir = args[0]
			return a.withLedger(func(l *publish.Ledger) error { return a.describeNew(l, o) })
		},
	}
	cmd.Flags().StringVar(&o.List, "list", "", "the `NAME` of the list, such as it.example/test")
	cmd.Flags().StringVar(&origin, "origin-key", "", "the `FILE` with the public key of the origin")
	cmd.Flags().StringArrayVar(&officers, "officer", nil, "a `FILE` with an officer's public key; once for each officer")
	cmd.Flags().IntVar(&o.Threshold, "threshold", 0, "the number `N` of officers who must sign")
	urgentFlags(cmd, &o.Urgent)
	cmd.Flags().BoolVar(&o.Confidential, "confidential", false, confidentialUsage)
	ruleFlags(cmd, &o.Rules)
	cmd.Flags().StringVar(&o.Group, "shared-group", "", "share the folder with a `GROUP` of this machine, whose members can all change the list")
	authorFlag(cmd, &o.Author)
	required(cmd, "list", "origin-key", "officer", "threshold")
	return cmd
}

// describeNew prints what init has made, and who must sign it.
func (a *app) describeNew(l *publish.Ledger, o publish.InitOptions) error {
	p, err := l.Pending()
	if err != nil {
		return err
	}
	a.describe(p)
	a.printf("made %s for %s; its root needs the signatures of %d of %d officers", a.dir, o.List, o.Threshold, len(o.Officers))
	g, err := publish.GuardSettings{}.Guard()
	if err != nil {
		return err
	}
	a.printf("guards: %s; blocklist guard shows and changes them", g)
	a.result(p)
	a.next("blocklist -C %s sign --key OFFICER.key", a.dir)
	return nil
}
