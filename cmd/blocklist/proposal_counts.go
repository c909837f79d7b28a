package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
	"github.com/argine-dns/argine/blocklist/publish/report"
	"github.com/argine-dns/argine/blocklist/publish/words"
)

// proposalsText returns the numbers of proposals in each state as text, and how many persons decide on a proposal. The
// text is empty if there are no proposals.
func proposalsText(s publish.Status) string {
	var parts []string
	for _, state := range proposal.States() {
		if n := s.Proposals[state]; n > 0 {
			parts = append(parts, thousands(n)+" "+state)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, ", ") + "; " + s.Rules.Persons()
}

// printCounts prints the numbers of the proposals that the filter selects. If the filter has a period, it prints the
// decisions in that period instead, see [app.printActivity].
func (a *app) printCounts(ctx context.Context, l *publish.Ledger, f proposal.Filter, asJSON bool) error {
	inTime := !f.Since.IsZero() || !f.Until.IsZero()
	if f.Target != "" || inTime && (f.Source != "" || f.Category != "" || len(f.States) > 0) {
		return usage("--counts takes --source, --category and --state, or --since and --until")
	}
	if inTime {
		return a.printActivity(ctx, l, f, asJSON)
	}
	counts, err := proposal.Counts(ctx, l)
	if err != nil {
		return err
	}
	counts = slices.DeleteFunc(counts, func(c proposal.Count) bool { return !isCounted(c, f) })
	if asJSON {
		same := func(c proposal.Count) proposal.Count { return c }
		return printAll(a, true, each(counts), same, nil)
	}
	return a.printStates(counts)
}

// isCounted reports whether the filter selects the proposals that c counts.
func isCounted(c proposal.Count, f proposal.Filter) bool {
	return (f.Source == "" || c.Source == f.Source) && (f.Category == "" || c.Category == f.Category) &&
		(len(f.States) == 0 || slices.Contains(f.States, c.State))
}

// printStates prints each count, and the sum for each state.
func (a *app) printStates(counts []proposal.Count) error {
	states := map[string]uint64{}
	w := tabwriter.NewWriter(visibleWriter{a.stdout}, 0, 0, 2, ' ', 0)
	for _, c := range counts {
		states[c.State] += c.Number
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", oneLine(c.Source), c.Category, c.State, thousands(c.Number))
	}
	for _, state := range proposal.States() {
		if states[state] > 0 {
			fmt.Fprintf(w, "all\t\t%s\t%s\n", state, thousands(states[state]))
		}
	}
	return w.Flush()
}

// printActivity prints how many proposals were received in a period, and what was decided.
func (a *app) printActivity(ctx context.Context, l *publish.Ledger, f proposal.Filter, asJSON bool) error {
	done, err := proposal.ReadActivity(ctx, l, f.Since, f.Until)
	if err != nil {
		return err
	}
	if asJSON {
		return a.printJSON(done)
	}
	w := tabwriter.NewWriter(visibleWriter{a.stdout}, 0, 0, 2, ' ', 0)
	for _, n := range []struct {
		what   string
		number uint64
	}{
		{"received", done.Received},
		{"checked", done.Checked},
		{"listed", done.Listed},
		{"delisted", done.Delisted},
		{"by one person", done.Alone},
		{"refused", done.Refused},
		{"referred", done.Referred},
		{"withdrawn", done.Withdrawn},
	} {
		fmt.Fprintf(w, "%s\t%s\n", n.what, thousands(n.number))
	}
	english, err := words.Read("en")
	if err != nil {
		return err
	}
	if text := report.WaitedText(done.Waited, english); text != "" {
		fmt.Fprintf(w, "waited\t%s\n", text)
	}
	return w.Flush()
}
