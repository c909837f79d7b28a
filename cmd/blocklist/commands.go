package main

import (
	"cmp"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/buildinfo"
	"github.com/argine-dns/argine/cmd/internal/unknown"
)

// group is a section of the list of commands in the help.
type group struct {
	title    string
	commands []*cobra.Command
}

// groups returns all commands, in the order in which an agency needs them.
func (a *app) groups() []group {
	return []group{
		{"Begin: keys, origin, list", []*cobra.Command{
			withoutLedger(changing(a.keygen())), withoutLedger(a.origin()), withoutLedger(changing(a.init())),
			a.guard(), a.rules(), a.role(),
		}},
		{"The list", []*cobra.Command{
			changing(a.add()), changing(a.importList()), changing(a.remove()), changing(a.undo()),
			a.entries(), a.diff(), a.due(), a.status(), a.export(), a.desk(),
		}},
		{"What is to be decided", []*cobra.Command{changing(a.propose()), a.proposals(), a.sources()}},
		{"Releases and signatures", []*cobra.Command{
			changing(a.release()), a.pending(), changing(a.request()), withoutLedger(a.review()), changing(a.sign()),
			changing(a.refuse()), changing(a.discard()), changing(a.push()), changing(a.bundle()), a.urgent(),
		}},
		{"History", []*cobra.Command{
			a.history(), a.log(), a.showOperation(), a.releases(), changing(a.reportPage()), a.verify(),
		}},
		{"Backup and recovery", []*cobra.Command{changing(a.backup()), withoutLedger(changing(a.recoverLedger()))}},
		{"Keys", []*cobra.Command{
			withoutLedger(a.fingerprint()), withoutLedger(changing(a.changePassphrase())), changing(a.newRoot()),
		}},
		{"Subscribers", []*cobra.Command{
			withoutLedger(changing(a.pull())), withoutLedger(a.follow()), withoutLedger(changing(a.mirror())),
			a.receipts(), a.subscriber(),
		}},
		{"Platforms that can take pages down", []*cobra.Command{changing(a.takedown())}},
		{"Lists of any format, and proxies", []*cobra.Command{
			withoutLedger(a.lookup()), withoutLedger(a.convert()), withoutLedger(changing(a.compileList())),
			withoutLedger(a.icap()), withoutLedger(a.squid()),
		}},
		{"More", []*cobra.Command{withoutLedger(a.man())}},
	}
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "blocklist",
		Short: "Publish blocklists that several officers sign, and read them as a subscriber would",
		Long: `Publish blocklists that several officers sign, and read them as a subscriber would.

The examples are the first day of an agency; its handbook is cmd/blocklist/README.md.

Data goes to standard output, everything else to standard error. "blocklist help exit-codes" shows what the exit codes mean.

Environment: BLOCKLIST_DIR is the agency's folder, and BLOCKLIST_AUTHOR the author of a change; flags win over both.
` + passphraseVariable + ` is the passphrase of a key.`,
		Example: `  blocklist keygen -o anna.key
  blocklist origin init ORIGIN
  blocklist init DIR --list it.example/test --origin-key ORIGIN/online.pub --officer anna.pub --officer bruno.pub --threshold 2
  blocklist -C DIR sign --key anna.key
  blocklist -C DIR sign --key bruno.key
  blocklist origin trust ORIGIN DIR/root.json
  blocklist -C DIR add example.com --category test --ref "order 2026/17" --reason "as ordered"
  blocklist -C DIR release
  blocklist -C DIR sign --key anna.key
  blocklist -C DIR sign --key bruno.key
  blocklist -C DIR push ORIGIN`,
		SilenceErrors: true,
		Version:       buildinfo.Text(),
		SilenceUsage:  true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("a command is missing")
			}
			return wrongUsage(cmd, unknown.Command(cmd, args[0]))
		},
		RunE: func(*cobra.Command, []string) error { return nil }, // Args has refused
	}
	root.SetVersionTemplate("{{.DisplayName}} {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return wrongUsage(cmd, unknown.Flag(cmd, err)) })
	a.ledgerFlags(root)
	for _, g := range a.groups() {
		root.AddGroup(&cobra.Group{ID: g.title, Title: g.title + ":"})
		for _, cmd := range g.commands {
			cmd.GroupID = g.title
			root.AddCommand(cmd)
		}
	}
	root.AddCommand(withoutLedger(exitCodes()))
	root.SetHelpCommandGroupID("More")
	root.SetCompletionCommandGroupID("More")
	return root
}

// ledgerFlags adds the flags of all commands that use the agency's folder.
func (a *app) ledgerFlags(root *cobra.Command) {
	flags := root.PersistentFlags()
	flags.StringVarP(&a.dir, "directory", "C", cmp.Or(os.Getenv(dirVariable), "."), "the agency's `DIR`")
	flags.DurationVar(&a.wait, "wait", 10*time.Second, "wait up to `DURATION` for another command that changes the list; 0: not at all")
	flags.BoolVar(&a.clockIsRight, "clock-is-right", false, "go on although the clock is far from the time of the last operation; the ledger records it")
}
