// Blocklist is the command of an agency that publishes a list: keys, ledger, releases, signatures, origin. It also
// reads, converts and verifies lists for their users.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/cmd/internal/unknown"
)

func main() {
	cobra.EnableCommandSorting = false // commands are shown in the order in which an agency needs them
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run runs the program and returns its exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal kills the program
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr}
	root := a.root()
	unknown.Strict(root, wrongUsage)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	return a.end(cmd, err)
}
