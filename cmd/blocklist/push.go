package main

import (
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/origin"
	"github.com/argine-dns/argine/blocklist/publish"
)

func (a *app) push() *cobra.Command {
	var author string
	cmd := &cobra.Command{
		Use:   "push URL|ORIGIN",
		Short: "Bring the signed release to an origin",
		Long: `Bring the signed release to an origin, by its URL or its folder. The origin verifies everything before it serves any
of it. Without a pending release the newest one is pushed again, to another origin perhaps.`,
		Example: `  blocklist -C DIR push https://origin.example
  blocklist -C DIR push ORIGIN`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withLedger(func(l *publish.Ledger) error {
				p, err := l.Push(cmd.Context(), deliverTo(args[0]), publish.Audit{Author: author, Reason: args[0]})
				if err != nil {
					return err
				}
				a.printf("pushed %s, %s, to %s", p.What(), plural(p.Entries, "entry", "entries"), args[0])
				return nil
			})
		},
	}
	authorFlag(cmd, &author)
	return cmd
}

// deliverTo returns the transport to an origin: a base URL or a folder.
func deliverTo(where string) publish.Transport {
	if strings.HasPrefix(where, "http://") || strings.HasPrefix(where, "https://") {
		return publish.ToHTTP(http.DefaultClient, where)
	}
	return func(ctx context.Context, _ string, bundle io.Reader) error {
		o, err := origin.Open(where, origin.Options{}) //nolint:contextcheck // it opens files, and waits for nothing
		if err != nil {
			return err
		}
		_, err = o.Accept(ctx, bundle)
		return err
	}
}
