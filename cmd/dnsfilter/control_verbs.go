package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/cmd/internal/unknown"
	"github.com/argine-dns/argine/dnsfilter/service"
)

func reloadCommand() *cobra.Command {
	var f controlFlags
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "reload [-c dnsfilter.yaml] [--dry-run]",
		Short: "Have the running server read its settings and lists again",
		Long: `Has the running server read its settings, local lists and the files of its guards again, as SIGHUP does, and waits until what they
say is in force. If anything is wrong with them, it says so, and everything stays as it was. What changes
with a restart only, such as listen, is named: systemctl restart dnsfilter, or without systemd dnsfilter serve --take-over.`,
		Example: `  dnsfilter reload -c /etc/dnsfilter/dnsfilter.yaml --dry-run
  dnsfilter reload -c /etc/dnsfilter/dnsfilter.yaml`,
		Args: unknown.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.ask(func(c *service.Control) error {
				if dryRun {
					return f.plan(cmd, c)
				}
				r, err := c.Reload(cmd.Context())
				switch {
				case err != nil:
					return err
				case f.asJSON:
					return json.NewEncoder(cmd.OutOrStdout()).Encode(r)
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "reloaded: %d lists with %d entries\n", r.Lists, r.Entries)
				if len(r.Restart) > 0 {
					fmt.Fprintf(cmd.ErrOrStderr(), "needs a restart: %s\n", strings.Join(r.Restart, ", "))
				}
				return nil
			})
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "show what would change, and change nothing")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
	return cmd
}

// plan prints what a reload would change.
func (f *controlFlags) plan(cmd *cobra.Command, c *service.Control) error {
	p, err := c.Plan(cmd.Context())
	switch {
	case err != nil:
		return err
	case f.asJSON:
		return json.NewEncoder(cmd.OutOrStdout()).Encode(p)
	}
	return printPlan(cmd.OutOrStdout(), &p)
}

func flushCommand() *cobra.Command {
	var f controlFlags
	var all bool
	cmd := &cobra.Command{
		Use:   "flush [-c dnsfilter.yaml] NAME | --all",
		Short: "Have the running server forget the answers about a name",
		Long: `Has the running server forget the cached answers about a name and all names below it, of all types, expired ones too: they are
asked for again. Lists are not touched.`,
		Example: `  dnsfilter flush -c /etc/dnsfilter/dnsfilter.yaml example.org
  dnsfilter flush --all`,
		Args: unknown.Args(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) == 1) {
				return usageError{errors.New("a name is needed, or --all"), "see dnsfilter flush --help"}
			}
			name := "."
			if !all {
				name = args[0]
			}
			return f.ask(func(c *service.Control) error {
				n, err := c.Flush(cmd.Context(), name)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.ErrOrStderr(), "flushed: %d answers\n", n)
				return err
			})
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "all names")
	return cmd
}
