package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/cmd/internal/unknown"
)

func (a *app) role() *cobra.Command {
	var by publish.Audit
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "role [USER reader|clerk|reviewer|auditor|none]",
		Short: "Show or change what people may do at the desk",
		Long: `Show who has which role at the desk (blocklist desk), or give a person a role. A person has one role; none ends it.

  reader    reads
  clerk     proposes, lists and withdraws
  reviewer  does what a clerk does, decides as the second person, overrides the guards, makes releases
  auditor   reads everything, and changes nothing

USER is the name that the reverse proxy gives the desk, or the name of an account of this machine. Roles do not apply to
commands: an account that can write the agency's folder can do everything. As long as no one has a role, the account that has
started the desk may do everything there.`,
		Example: `  blocklist -C DIR role carla clerk --reason "joined the team"
  blocklist -C DIR role carla none
  blocklist -C DIR role`,
		Args: args(func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return fmt.Errorf("a role is missing")
			}
			return unknown.Args(0, 2)(cmd, args)
		}),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withLedger(func(l *publish.Ledger) error {
				if len(args) == 2 {
					return a.setRole(cmd, l, args[0], args[1], by)
				}
				roles, err := l.RolesOf(cmd.Context())
				if err != nil {
					return err
				}
				return a.printRoles(roles, asJSON)
			})
		},
	}
	authorFlag(cmd, &by.Author)
	cmd.Flags().StringVar(&by.Reason, "reason", "", "the reason, a `TEXT` for the ledger")
	jsonFlag(cmd, &asJSON)
	return cmd
}

func (a *app) setRole(cmd *cobra.Command, l *publish.Ledger, user, role string, by publish.Audit) error {
	given := role
	if role == "none" {
		given = ""
	}
	err := l.SetRole(cmd.Context(), user, given, by)
	if errors.Is(err, publish.ErrUnchanged) {
		return withHint(err, "blocklist role shows who has which one")
	}
	if err != nil {
		return err
	}
	a.result(fields{"user": user, "role": given})
	a.printf("%s: %s", user, role)
	return nil
}

func (a *app) printRoles(roles map[string]string, asJSON bool) error {
	if asJSON {
		return a.printJSON(roles)
	}
	w := tabwriter.NewWriter(visibleWriter{a.stdout}, 0, 0, 2, ' ', 0)
	for _, user := range slices.Sorted(maps.Keys(roles)) {
		fmt.Fprintf(w, "%s\t%s\n", user, roles[user])
	}
	return w.Flush()
}
