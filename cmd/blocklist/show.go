package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/takedown"
	"github.com/argine-dns/argine/cmd/internal/unknown"
)

func (a *app) status() *cobra.Command {
	var asJSON bool
	var table string
	cmd := &cobra.Command{
		Use:   "status [ORIGIN]",
		Short: "Show the state of the list: entries, releases, what is pending, which pages are still up",
		Long: `Show the state of the list: entries, releases, and what is pending. For each platform that can take pages down, it counts the
listed URLs that are open (never checked, or still up at the last check), that came back after a removal, and that are
removed. It also shows the age of the open URLs. blocklist takedown records checks. The exit code is 3 if a root or a release
has expired.

With ORIGIN, a URL or a folder, it also compares the ledger with the origin's newest release.`,
		Example: `  blocklist -C DIR status
  blocklist -C DIR status https://origin.example`,
		Args: args(unknown.Args(0, 1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			platforms, err := readPlatforms(table)
			if err != nil {
				return err
			}
			return a.withLedger(func(l *publish.Ledger) error { return a.showStatus(cmd.Context(), l, platforms, args, asJSON) })
		},
	}
	platformsFlag(cmd, &table)
	jsonFlag(cmd, &asJSON)
	return cmd
}

func (a *app) showStatus(ctx context.Context, l *publish.Ledger, platforms takedown.Platforms, origins []string,
	asJSON bool,
) error {
	s, err := l.Status(ctx)
	if err != nil {
		return err
	}
	for _, from := range origins {
		if err := checkOrigin(from); err != nil {
			return err
		}
		c, err := a.compare(ctx, l, from)
		if err != nil {
			return err
		}
		s.Origin = &c
		if c.Behind() {
			s.Warnings = append(s.Warnings, publish.Phrase{Text: "%s"}.With(a.recoverWith(from)))
		}
	}
	takedowns, err := takedown.Summary(ctx, l, platforms)
	if err != nil {
		return err
	}
	if asJSON {
		err = a.printJSON(struct {
			publish.Status
			Takedowns []takedown.PlatformStatus `json:"takedowns,omitempty"`
		}{s, takedowns})
	} else {
		err = errors.Join(a.printStatus(s), a.printTakedowns(takedowns))
	}
	if err == nil && s.Expired {
		err = exitError{code: exitAttention}
	}
	return err
}

func (a *app) printStatus(s publish.Status) error {
	w := tabwriter.NewWriter(visibleWriter{a.stdout}, 0, 0, 2, ' ', 0)
	line := func(key, format string, args ...any) {
		fmt.Fprintf(w, "%s\t%s\n", key, fmt.Sprintf(format, args...))
	}
	line("list", "%s", s.List)
	if r := s.Root; r != nil {
		line("root", "%d, valid until %s, %d of %s", r.Version, r.Expires.Format(time.DateOnly), r.Threshold, strings.Join(r.Officers, ", "))
		line("fingerprint", "%s", r.Fingerprint)
		if r.Confidential {
			line("confidential", "encrypted to its subscribers; blocklist subscriber list shows them")
		}
	}
	line("entries", "%s", thousands(s.Head.Entries))
	if text := rulesText(s.Rules); text != noRules {
		line("rules", "%s", text)
	}
	if d := s.Due; d.Review+d.Expired+d.Expiring > 0 {
		line("orders due", "%s to be reviewed, %s expired, %s expiring within 30 days; blocklist due lists them", thousands(d.Review), thousands(d.Expired), thousands(d.Expiring))
	}
	if text := proposalsText(s); text != "" {
		line("proposals", "%s", text)
	}
	line("digest", "%s", s.Head.Digest)
	line("last change", "%d, %s, by %s: %s", s.Head.ID, s.Head.Time.Format(time.RFC3339), s.Head.Author, s.Head.Kind)
	line("ledger head", "%s", s.Head.Hash)
	if s.Released != nil {
		line("released", "serial %d, published %s", s.Released.Serial, s.Released.Pushed.Format(time.RFC3339))
	} else {
		line("released", "nothing yet")
	}
	printUrgent(s, line)
	line("since then", "%s added, %s removed", thousands(s.Added), thousands(s.Removed))
	if s.Pending != nil {
		line("pending", "%s", s.Pending.What())
		line("", "%s", signatures(s.Pending))
	} else {
		line("pending", "nothing")
	}
	for _, skipped := range s.Skipped {
		line("skipped", "%s", skipped)
	}
	if s.Damaged != "" {
		line("damaged", "%s; blocklist verify shows what", s.Damaged)
	}
	if s.Origin != nil {
		line("origin", "has %s", s.Origin)
	}
	for _, warning := range s.Warnings {
		line("warning", "%s", warning)
	}
	return w.Flush()
}

// printUrgent prints the urgent orders in force, and the pending ones. It calls the function line for each line.
func printUrgent(s publish.Status, line func(key, format string, args ...any)) {
	if s.Urgent != nil {
		pushed := map[bool]string{true: "pushed", false: "not pushed yet"}[s.Urgent.Pushed]
		line("urgent", "%s on top of serial %d, %s", plural(uint64(len(s.Urgent.Lines)), "order", "orders"), s.Urgent.Serial, pushed)
		for _, order := range s.Urgent.Lines {
			line("", "%s", shortened(order, maxLine))
		}
	}
	if s.Ordered != nil {
		line("waiting", "%s, for one officer's signature, until %s", s.Ordered.What(), s.Ordered.Expires.Format(time.RFC3339))
	}
}

func (a *app) diff() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "diff",
		Short: "Show what has changed since the release that was pushed last",
		Long: `Show what has changed in the ledger since the release that was pushed last. blocklist pending shows what waits for
signatures.`,
		Example: "  blocklist -C DIR diff",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withLedger(func(l *publish.Ledger) error {
				return printAll(a, asJSON, l.Unreleased(cmd.Context()), changeToJSON, changeText)
			})
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func (a *app) pending() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "pending",
		Short: "Show all of what waits for signatures",
		Long: `Show in full what waits for signatures: a root, or a release with its operations and each line that is added or removed, read
from the bytes that a signature covers. On a terminal the output goes through a pager.

With --json: one value a line, "pending", then each "operation", then each change.`,
		Example: "  blocklist -C DIR pending",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withLedger(func(l *publish.Ledger) error {
				p, err := l.Pending()
				if err != nil {
					return err
				}
				readers := func() (publish.Recipients, error) { return l.PendingRecipients(cmd.Context(), p) }
				return a.showPending(p, l.PendingOperations(cmd.Context(), p), readers, l.Review(p), asJSON)
			})
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func (a *app) entries() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "entries",
		Short:   "Show what is listed, one entry a line",
		Example: "  blocklist -C DIR entries",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withLedger(func(l *publish.Ledger) error {
				return printAll(a, asJSON, l.Entries(cmd.Context()), toJSON, blocklist.Entry.String)
			})
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

// unsignedText returns the text that says which operations no signature covers, only the hash chain. A person who can
// write to the ledger could remove the last of them unnoticed.
func unsignedText(v publish.Verified) string {
	if v.Releases == 0 {
		return "not covered by a signature: all of it, as there is no release"
	}
	return fmt.Sprintf("not covered by a signature: %s after serial %d", plural(uint64(v.Unsigned), "operation", "operations"), v.Serial)
}

func (a *app) verify() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Prove that the history is intact and the one that was signed",
		Long: `Verify that the history is intact and is the one that was signed: the hash of each operation and its link to the previous
one, every added and removed line, the entries that follow from these lines, and the releases with the officers' signatures.
The output names everything that was altered, is missing or does not belong there. It also counts the operations after the
last release: no officer has signed them yet, so only the hash chain protects them.`,
		Example: "  blocklist -C DIR verify",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withLedger(func(l *publish.Ledger) error {
				show, done := a.progress("verifying: %s rows")
				v, err := l.Verify(cmd.Context(), show)
				done()
				if err != nil {
					return fmt.Errorf("verifying the ledger of %s: %w", l.List(), err)
				}
				if asJSON {
					return a.printJSON(v)
				}
				for _, note := range v.Notes {
					a.printf("note: %s", note)
				}
				_, err = fmt.Fprintf(a.stdout, "%s: intact: %s, %s, %s, %s, head %s\n%s\n",
					l.List(), plural(uint64(v.Operations), "operation", "operations"), plural(uint64(v.Changes), "change", "changes"), plural(v.Entries, "entry", "entries"), plural(uint64(v.Releases), "release", "releases"), v.Head, unsignedText(v))
				return err
			})
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}
