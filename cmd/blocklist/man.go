package main

import (
	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/cmd/internal/man"
)

func (a *app) man() *cobra.Command {
	cmd := man.Command("blocklist")
	cmd.Args = args(cmd.Args)
	return cmd
}
