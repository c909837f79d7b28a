// Blocklist is the command of an agency that publishes a list: keys, ledger, releases, signatures, origin. It also
// reads, converts and verifies lists for their users.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/buildinfo"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run runs the program and returns its exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal kills the program
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if code := (exitError{}); errors.As(err, &code) {
		if code.err != nil {
			a.report(code.err)
		}
		return code.code
	}
	if err != nil {
		a.report(err)
		return exitFailed
	}
	return exitDone
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "blocklist",
		Short: "Publish blocklists that several officers sign, and read them as a subscriber would",
		Long: `Publish blocklists that several officers sign, and read them as a subscriber would.

Data goes to standard output, everything else to standard error.
Exit codes: 0 done, 1 failed, 2 wrong usage; of lookup: 0 listed, 1 not listed, 2 could not tell;
of import: 3 some of an order is not listed.`,
		Example: `  blocklist keygen -o anna.key
  blocklist origin init ORIGIN
  blocklist init DIR --list it.example/test --origin-key ORIGIN/online.pub --officer anna.pub --officer bruno.pub --threshold 2
  blocklist -C DIR sign --key anna.key
  blocklist -C DIR add example.com --category test --ref "order 2026/17" --reason "as ordered"
  blocklist -C DIR release
  blocklist -C DIR push https://origin.example`,
		SilenceErrors: true,
		Version:       buildinfo.Text(),
		SilenceUsage:  true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("a command is missing")
			}
			return usage("there is no command %q", args[0])
		},
		RunE: func(*cobra.Command, []string) error { return nil }, // Args has refused
	}
	root.SetVersionTemplate("{{.DisplayName}} {{.Version}}\n")
	root.PersistentFlags().StringVarP(&a.dir, "directory", "C", ".", "the agency's `DIR`")
	root.PersistentFlags().BoolVar(&a.clockIsRight, "clock-is-right", false, "go on although the clock of this machine is far from the last operation; it is recorded")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage("%w", err) })
	root.AddCommand(
		a.keygen(), a.init(), a.origin(),
		a.add(), a.remove(), a.importList(), a.guard(), a.export(), a.convert(), a.compileList(), a.takedown(),
		a.status(), a.diff(), a.pending(), a.entries(), a.verify(),
		a.history(), a.log(), a.showOperation(), a.releases(),
		a.release(), a.request(), a.review(), a.sign(), a.refuse(), a.newRoot(), a.urgent(), a.subscriber(), a.push(), a.bundle(), a.recoverLedger(), a.pull(), a.follow(), a.lookup(), a.squid(), a.icap(),
		a.receipts(), a.man(),
	)
	return root
}
