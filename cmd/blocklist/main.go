// Blocklist is the command of an agency that publishes a list: keys, ledger, releases, signatures, origin. It also
// reads, converts and verifies lists for their users.
package main

import (
	"cmp"
	"context"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

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
	cmd, err := root.ExecuteContextC(ctx)
	return a.end(cmd, err)
}

// helpWithErrors makes the help command fail for a command that does not exist.
func helpWithErrors(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	help, _, _ := root.Find([]string{"help"})
	show := help.Run
	help.Run, help.RunE = nil, func(cmd *cobra.Command, args []string) error {
		if found, _, err := root.Find(args); err != nil || found == root && len(args) > 0 {
			return usage("there is no command %q", strings.Join(args, " "))
		}
		show(cmd, args)
		return nil
	}
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "blocklist",
		Short: "Publish blocklists that several officers sign, and read them as a subscriber would",
		Long: `Publish blocklists that several officers sign, and read them as a subscriber would.

Data goes to standard output, everything else to standard error. "blocklist help exit-codes" shows what the exit codes mean.

Environment: BLOCKLIST_DIR is the agency's folder, and BLOCKLIST_AUTHOR the author of a change; flags win over both.
` + passphraseVariable + ` is the passphrase of a key.`,
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
	root.PersistentFlags().StringVarP(&a.dir, "directory", "C", cmp.Or(os.Getenv(dirVariable), "."), "the agency's `DIR`")
	root.PersistentFlags().DurationVar(&a.wait, "wait", 10*time.Second, "wait up to `DURATION` for another command that changes the list; 0: not at all")
	root.PersistentFlags().BoolVar(&a.clockIsRight, "clock-is-right", false, "go on although the clock is far from the time of the last operation; the ledger records it")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage("%w", err) })
	root.AddCommand(changing(
		a.add(), a.remove(), a.importList(), a.undo(), a.takedown(), a.release(), a.request(), a.sign(), a.refuse(), a.newRoot(), a.push(), a.bundle(), a.backup(),
	)...)
	root.AddCommand(
		a.rules(), a.due(), a.guard(), a.export(), a.status(), a.diff(), a.pending(), a.entries(), a.verify(), a.urgent(), a.subscriber(),
		a.receipts(), a.history(), a.log(), a.showOperation(), a.releases(), a.reportPage(),
	)
	root.AddCommand(withoutLedger(changing(a.keygen(), a.changePassphrase(), a.init(), a.recoverLedger(), a.pull())...)...)
	root.AddCommand(withoutLedger(
		a.origin(), a.convert(), a.compileList(), a.review(), a.follow(), a.lookup(), a.squid(), a.icap(), a.fingerprint(), a.man(), exitCodes(),
	)...)
	helpWithErrors(root)
	return root
}
