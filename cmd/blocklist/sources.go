package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
	"github.com/argine-dns/argine/blocklist/subscribe"
	"github.com/argine-dns/argine/cmd/internal/unknown"
)

// sourcesStore is the subfolder of the agency's folder with the verified states of followed lists.
const sourcesStore = "sources"

func (a *app) sources() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "source",
		Short: "Where proposals come from by themselves: other agencies' lists, programs with a token",
		Long: `Show the sources that propose by themselves: another agency's list that is followed, or a program that sends reports with a
token. Any other text may be the source of a proposal, too.`,
		Example: `  blocklist -C DIR source add de.example/wol --root wol.root.json --from https://origin.example
  blocklist -C DIR source update
  blocklist -C DIR source token hotline
  blocklist -C DIR source`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withLedger(func(l *publish.Ledger) error {
				all, err := proposal.Sources(cmd.Context(), l)
				if err != nil {
					return err
				}
				return a.printSources(all, asJSON)
			})
		},
	}
	jsonFlag(cmd, &asJSON)
	cmd.AddCommand(a.followSource(), a.updateSources(), a.sourceToken(), a.removeSource())
	return cmd
}

func (a *app) printSources(all map[string]proposal.Source, asJSON bool) error {
	shown := map[string]fields{}
	w := tabwriter.NewWriter(visibleWriter{a.stdout}, 0, 0, 2, ' ', 0)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		s := all[name]
		var parts []string
		shown[name] = fields{"token": s.Token != ""}
		if len(s.Root) > 0 {
			fingerprint, err := publish.Fingerprint(s.Root)
			if err != nil {
				return err
			}
			shown[name]["from"], shown[name]["root"] = s.From, fingerprint
			parts = append(parts, "followed from "+strings.Join(s.From, ", ")+", root "+fingerprint)
		}
		if s.Token != "" {
			parts = append(parts, "has a token")
		}
		fmt.Fprintf(w, "%s\t%s\n", oneLine(name), strings.Join(parts, "; "))
	}
	if asJSON {
		return a.printJSON(shown)
	}
	return w.Flush()
}

func (a *app) followSource() *cobra.Command {
	var root string
	var from []string
	var by publish.Audit
	cmd := &cobra.Command{
		Use:   "add LIST --root FILE --from URL...",
		Short: "Follow another agency's list: what it lists becomes proposals",
		Long: `Follow another agency's signed list. source update verifies it, and turns what it lists into proposals, and what it withdraws
into proposals to withdraw. The root is from that agency, obtained in a way that you trust: compare its fingerprint by telephone.`,
		Example: `  blocklist -C DIR source add de.example/wol --root wol.root.json --from https://origin.example --from https://mirror.example`,
		Args:    args(unknown.Args(1, 1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			pin, err := readRoot(root)
			if err != nil {
				return err
			}
			list, _, err := subscribe.ReadRoot(pin)
			if err != nil {
				return err
			}
			if list != args[0] {
				return fmt.Errorf("following %q: %w: the root is that of %s", args[0], blocklist.ErrMalformed, list)
			}
			return a.withLedger(func(l *publish.Ledger) error {
				if _, err := proposal.FollowList(cmd.Context(), l, pin, from, by); err != nil {
					return err
				}
				fingerprint, err := publish.Fingerprint(pin)
				if err != nil {
					return err
				}
				a.result(fields{"source": list, "root": fingerprint, "from": from})
				a.printf("%s: followed from the root with fingerprint %s on", list, fingerprint)
				a.next("blocklist -C %s source update %s", a.dir, list)
				return nil
			})
		},
	}
	changing(cmd)
	authorFlag(cmd, &by.Author)
	cmd.Flags().StringVar(&by.Reason, "reason", "", "the reason, a `TEXT` for the ledger")
	cmd.Flags().StringVar(&root, "root", "", "the `FILE` with the list's root")
	cmd.Flags().StringArrayVar(&from, "from", nil, "the `URL` of an origin or mirror, or the path of a copy or a bundle; may be repeated")
	required(cmd, "root", "from")
	return cmd
}

func (a *app) updateSources() *cobra.Command {
	var identity string
	var by publish.Audit
	cmd := &cobra.Command{
		Use:   "update [LIST...]",
		Short: "Verify followed lists, and turn what has changed into proposals (for cron)",
		Long: `Fetch and verify the lists that are followed, all of them or those that are named, and turn what has changed into proposals:
what is new there or has another category, reference or expiry is proposed, what is there no more is taken back or proposed to be
withdrawn. If one fails, the others are still updated.`,
		Example: `  blocklist -C DIR source update
  blocklist -C DIR source update de.example/wol --identity agency.age`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var key []byte
			var err error
			if identity != "" {
				if key, err = readAtMost(identity, maxRoot); err != nil {
					return err
				}
			}
			return a.withLedger(func(l *publish.Ledger) error { return a.runUpdate(cmd.Context(), l, args, key, by) })
		},
	}
	changing(cmd)
	authorFlag(cmd, &by.Author)
	cmd.Flags().StringVar(&by.Reason, "reason", "", "the reason, a `TEXT` for the ledger")
	cmd.Flags().StringVar(&identity, "identity", "", "the `FILE` with your age identity, for confidential lists")
	return cmd
}

func (a *app) runUpdate(ctx context.Context, l *publish.Ledger, names []string, identity []byte,
	by publish.Audit,
) error {
	all, err := proposal.Sources(ctx, l)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(all))
		names = slices.DeleteFunc(names, func(name string) bool { return len(all[name].Root) == 0 })
	}
	if len(names) == 0 {
		return exitError{exitNothing, errors.New("no list is followed; blocklist source add follows one")}
	}
	done := map[string]proposal.Updated{}
	var failed []error
	for _, name := range names {
		s, ok := all[name]
		if !ok || len(s.Root) == 0 {
			failed = append(failed, fmt.Errorf("%q: %w that is a list", name, proposal.ErrNoSource))
			continue
		}
		u, err := a.updateSource(ctx, l, name, s, identity, by)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", name, err))
			continue
		}
		done[name] = u
	}
	a.result(done)
	return errors.Join(failed...)
}

func (a *app) updateSource(ctx context.Context, l *publish.Ledger, name string, s proposal.Source, identity []byte,
	by publish.Audit,
) (
	u proposal.Updated, err error,
) {
	store, err := blocklist.Open(filepath.Join(a.dir, sourcesStore), blocklist.Options{})
	if err != nil {
		return u, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	sub, err := subscribe.New(store, subscribe.Config{List: name, Root: s.Root, Origins: s.From, Identity: identity})
	if err != nil {
		return u, err
	}
	if _, err := sub.Refresh(ctx); err != nil {
		return u, err
	}
	if hold := sub.Status().Hold; hold != nil { // nothing is listed by it: each entry is examined when it is decided on
		if err := sub.Accept(ctx, hold.ID); err != nil {
			return u, err
		}
	}
	signers, err := sub.Signers()
	if err != nil {
		return u, err
	}
	status := sub.Status()
	show, done := a.progress("comparing: %s entries")
	u, err = proposal.Update(ctx, l, proposal.State{
		List: name, Serial: status.Serial, Digest: status.Digest.String(), Signers: signers, Entries: sub.Entries(),
	}, by, show)
	done()
	if err == nil {
		a.printf("%s serial %d, signed by %s: %s proposed, of these %s to withdraw and %s changed there; %s taken back", name, status.Serial,
			strings.Join(signers, ", "), thousands(u.Proposed), thousands(u.Withdraw), thousands(u.Changed), thousands(u.Withdrawn))
	}
	return u, err
}

func (a *app) sourceToken() *cobra.Command {
	var by publish.Audit
	cmd := &cobra.Command{
		Use:   "token NAME",
		Short: "Make the token of a program that sends reports, and show it once",
		Long: `Make the token with which a program sends reports to the desk (POST /api/reports), in place of the one that it had. It is shown
once; the ledger has only its SHA-256.`,
		Example: "  blocklist -C DIR source token hotline > hotline.token",
		Args:    args(unknown.Args(1, 1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withLedger(func(l *publish.Ledger) error {
				token, err := proposal.NewToken(cmd.Context(), l, args[0], by)
				if err != nil {
					return err
				}
				if wantsJSON(cmd) {
					a.result(fields{"source": args[0], "token": token})
					return nil
				}
				_, err = fmt.Fprintln(a.stdout, token)
				return err
			})
		},
	}
	changing(cmd)
	authorFlag(cmd, &by.Author)
	cmd.Flags().StringVar(&by.Reason, "reason", "", "the reason, a `TEXT` for the ledger")
	return cmd
}

func (a *app) removeSource() *cobra.Command {
	var by publish.Audit
	cmd := &cobra.Command{
		Use:     "remove NAME",
		Short:   "Follow a list no longer, or end a token; the proposals stay",
		Example: `  blocklist -C DIR source remove hotline --reason "the token was lost"`,
		Args:    args(unknown.Args(1, 1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withLedger(func(l *publish.Ledger) error {
				if err := proposal.RemoveSource(cmd.Context(), l, args[0], by); err != nil {
					return err
				}
				a.result(fields{"source": args[0]})
				a.printf("%s: no longer a source", args[0])
				return nil
			})
		},
	}
	changing(cmd)
	authorFlag(cmd, &by.Author)
	cmd.Flags().StringVar(&by.Reason, "reason", "", "the reason, a `TEXT` for the ledger")
	return cmd
}
