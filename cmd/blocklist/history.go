package main

import (
	"fmt"
	"io"
	"iter"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/cmd/internal/unknown"
)

func (a *app) history() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "history NAME|URL|ADDRESS",
		Short: "Show whether something is in force, who listed it, when, why, in which release, and what covers it",
		Long: `Show whether subscribers enforce something, since when, and what is missing if they don't yet: a release, signatures, or a push.
Then show who listed it, when and why: each operation that changed the entry, the first release after it, the officers who
signed the release, and the time of the push; also urgent orders, checks of a page, and who refused, referred or took back a
proposal about it, when and why. The same follows for every entry that covers it now or did so before: domains above it,
broader paths, networks. The argument may have a scheme, a port or letters
of any script; =NAME asks for that name alone.

Signatures are verified with the roots of the list. The exit code is 0 even if nothing was ever listed.

With --json: one value for each entry: the one asked for, then those that cover it. Fields: target, covers, listed (in the ledger),
effect, entry, orders, events, checks, decisions (on proposals that no event has confirmed, each with step and proposal).
The effect has state (never, decided, in-force, leaving, expired, ended, dropped), since, until, serial, waits (release, signatures,
push), pending (serial), urgent, monitor.
An event has change (added, removed, changed, orders, ordered, withdrawn), before and after (lines), given and withdrawn (orders),
operation, proposals that it has confirmed, checked (the steps of who checked them), and release or pending.`,
		Example: `  blocklist -C DIR history www.example.com
  blocklist -C DIR history https://host.example:8080/path --json`,
		Args: args(unknown.Args(1, 1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withLedger(func(l *publish.Ledger) error {
				all, err := l.EntryHistory(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if asJSON {
					same := func(h *publish.EntryHistory) *publish.EntryHistory { return h }
					return printAll(a, true, each(all), same, nil)
				}
				return a.paged(func() error { return a.printHistory(all) })
			})
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func (a *app) printHistory(all []*publish.EntryHistory) error {
	w := visibleWriter{a.stdout}
	for i, h := range all {
		if i > 0 {
			fmt.Fprintln(w)
		}
		covers := ""
		if h.Covers {
			covers = "covered by "
		}
		fmt.Fprintf(w, "%s%s: %s\n", covers, oneLine(h.Target), effectText(h.Effect))
		if len(h.Orders) > 1 {
			for _, order := range h.Orders {
				fmt.Fprintf(w, "  rests on %s\n", oneLine(order))
			}
		}
		for _, event := range h.Events {
			printEvent(w, event)
		}
		for _, c := range h.Checks {
			fmt.Fprintf(w, "  %s  checked: %s\n", c.Operation.Time.Format(time.RFC3339), checkText(c))
			fmt.Fprintf(w, "      operation %d, by %s\n", c.Operation.ID, causeText(c.Operation))
		}
		for _, d := range h.Decisions {
			fmt.Fprintf(w, "  %s  proposal %d from %s: %s by %s\n", d.Time.Format(time.RFC3339), d.Proposal.ID, oneLine(d.Proposal.Source), d.Proposal.State,
				whyText(d.Author, d.Reason, d.Reference))
		}
	}
	return nil
}

// effectText returns the text that says how subscribers treat an entry.
func effectText(e publish.Effect) string {
	what := "in force"
	if e.Monitor {
		what = "monitored only"
	}
	since := " since " + e.Since.Format(time.RFC3339)
	if e.Page && e.InForce() {
		since += " for subscribers that enforce URLs"
	}
	switch e.State {
	case publish.EffectNever:
		return "never listed itself"
	case publish.EffectDropped:
		return "not listed, and never was in force"
	case publish.EffectExpired:
		return "expired, not in force" + since
	case publish.EffectEnded:
		return "no longer in force" + since + effectBy(e)
	case publish.EffectDecided:
		if e.Monitor {
			return "decided, not monitored yet" + waitsText(e)
		}
		return "decided, not in force yet" + waitsText(e)
	case publish.EffectLeaving:
		return "withdrawn, still " + what + since + effectBy(e) + waitsText(e)
	}
	text := what + since + effectBy(e)
	if !e.Until.IsZero() {
		text += ", until " + e.Until.Format(time.RFC3339)
	}
	if e.Waits != "" {
		text += "; what is decided now" + strings.TrimPrefix(waitsText(e), ":")
	}
	return text
}

// effectBy returns the text for the cause of a state: the urgent order or the serial. It may be empty.
func effectBy(e publish.Effect) string {
	switch {
	case e.Urgent:
		return " (urgent order)"
	case e.Serial > 0:
		return fmt.Sprintf(" (serial %d)", e.Serial)
	}
	return ""
}

// waitsText returns the text that says what must happen before a decision takes effect.
func waitsText(e publish.Effect) string {
	switch {
	case e.Waits == publish.WaitsRelease:
		return ": waits for a release"
	case e.Waits == publish.WaitsSignatures:
		return fmt.Sprintf(": waits for signatures on serial %d", e.Pending)
	case e.Pending > 0:
		return fmt.Sprintf(": waits for the push of serial %d", e.Pending)
	}
	return ": waits for the push of the urgent orders"
}

func printEvent(w io.Writer, e publish.EntryEvent) {
	fmt.Fprintf(w, "  %s  %s by %s\n", e.Operation.Time.Format(time.RFC3339), eventText(e), causeText(e.Operation))
	for _, line := range eventLines(e) {
		fmt.Fprintf(w, "      %s\n", oneLine(line))
	}
	for _, p := range e.Proposals {
		fmt.Fprintf(w, "      proposal %s\n", oneLine(proposalLine(p)))
	}
	for _, s := range e.Checked {
		fmt.Fprintf(w, "      checked %s by %s\n", s.Time.Format(time.RFC3339), causeText(publish.Operation{Author: s.Author, Reason: s.Reason, Reference: s.Reference}))
	}
	fmt.Fprintf(w, "      operation %d", e.Operation.ID)
	if e.Change != publish.ChangeOrdered && e.Change != publish.ChangeWithdrawn {
		fmt.Fprintf(w, "; %s", publicationText(e.Publication))
	}
	fmt.Fprintln(w)
}

// eventText returns the text for the change in an event.
func eventText(e publish.EntryEvent) string {
	switch e.Change {
	case publish.ChangeOrders:
		return "orders changed"
	case publish.ChangeOrdered:
		return "urgent order"
	case publish.ChangeWithdrawn:
		return "urgent order withdrawn"
	}
	return e.Change
}

// eventLines returns the changed lines of an event, for output: those of orders, and the published line.
func eventLines(e publish.EntryEvent) (lines []string) {
	for _, part := range []struct {
		sign  string
		lines []string
	}{{"order given: ", e.Given}, {"order withdrawn: ", e.Withdrawn}} {
		for _, line := range part.lines {
			lines = append(lines, part.sign+line)
		}
	}
	if e.Before != e.After && e.Before != "" {
		lines = append(lines, "-"+e.Before)
	}
	if e.Before != e.After && e.After != "" {
		lines = append(lines, "+"+e.After)
	}
	return lines
}

func (a *app) releases() *cobra.Command {
	var asJSON bool
	var last int
	cmd := &cobra.Command{
		Use:   "releases",
		Short: "Show the releases: serial, time, what changed, who has signed each, and when it was pushed",
		Long: `Show the releases that were pushed, oldest first: serial, time, entries, how many were listed and delisted since the one
before, who has signed, when it was pushed, and why the guards were overridden. An entry that came and went in between is not
counted, nor one that got other attributes. Signatures are verified with the roots of the list. If the
signatures of a release can't be verified, the output says so, and the exit code is 1.

With --json: one value a line: serial, operation and head (the last operation in it), pushed, added and removed (lines, also those
of entries that came and went in between), entries, listed, delisted, created, expires, override, root, threshold, signed, problem.`,
		Example: "  blocklist -C DIR releases -n 10",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if last < 0 {
				return usage("-n %d is negative", last)
			}
			if !anyChanged(cmd, "number", "json") {
				last = newest
			}
			return a.withLedger(func(l *publish.Ledger) error { return a.printReleases(cmd, l, last, asJSON) })
		},
	}
	cmd.Flags().IntVarP(&last, "number", "n", 0, "only the newest `N`; 0 for all (default: 20, with --json all)")
	jsonFlag(cmd, &asJSON)
	return cmd
}

func (a *app) printReleases(cmd *cobra.Command, l *publish.Ledger, last int, asJSON bool) error {
	var bad, first uint64
	shown := 0
	counted := func(yield func(publish.ReleaseInfo, error) bool) {
		for r, err := range l.Releases(cmd.Context(), last) {
			if r.Problem != "" {
				bad++
			}
			if shown++; first == 0 {
				first = r.Serial
			}
			if !yield(r, err) {
				return
			}
		}
	}
	var err error
	if asJSON {
		err = printAll(a, true, counted, func(r publish.ReleaseInfo) publish.ReleaseInfo { return r }, nil)
	} else {
		err = a.paged(func() error { return printReleaseTable(visibleWriter{a.stdout}, counted) })
	}
	if shown == newest && last == newest && first > 1 {
		a.printf("the newest %d; -n 0 shows all", newest)
	}
	if err == nil && bad > 0 {
		err = withHint(fmt.Errorf("the signatures of %s can't be verified", plural(bad, "release", "releases")), "blocklist verify names what is damaged")
	}
	return err
}

func printReleaseTable(out io.Writer, releases iter.Seq2[publish.ReleaseInfo, error]) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "serial\tmade\tentries\tchange\tpushed\tsigned by")
	for r, err := range releases {
		if err != nil {
			return err
		}
		made, by := "-", "not verified: "+r.Problem
		if r.Problem == "" {
			made, by = r.Created.Format(time.RFC3339), strings.Join(r.Signed, ", ")
		}
		if r.Override != "" {
			by += "; guards overridden: " + r.Override
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t+%s -%s\t%s\t%s\n", r.Serial, made, thousands(r.Entries), thousands(r.Listed), thousands(r.Delisted),
			r.Pushed.Format(time.RFC3339), by)
	}
	return w.Flush()
}
