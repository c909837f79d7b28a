package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
	"github.com/argine-dns/argine/cmd/internal/unknown"
)

// proposalFlags has the flags that select proposals.
type proposalFlags struct {
	proposal.Filter
	since timeFlag
	until endFlag
}

// add adds the flags to a command. The flag for the category has the given name.
func (f *proposalFlags) add(cmd *cobra.Command, category string) {
	flags := cmd.Flags()
	flags.StringSliceVar(&f.States, "state", nil, "only in this `STATE`, or several with commas: "+strings.Join(proposal.States(), ", "))
	flags.StringVar(&f.Source, "source", "", "only from this source, a `TEXT`")
	flags.StringVar(&f.Category, category, "", "only of this category, a `WORD`")
	flags.StringVar(&f.Target, "about", "", "only about this `NAME` and the URLs on it, or this URL")
	flags.Var(&f.since, "since", "only received from this `DATE` or time on")
	flags.Var(&f.until, "until", "only received until this `DATE` or time; a day is included")
	flags.BoolVar(&f.Oldest, "oldest", false, "the oldest first")
}

func (f *proposalFlags) filter() proposal.Filter {
	f.Since, f.Until = f.since.Time, f.until.Time
	return f.Filter
}

func (a *app) proposals() *cobra.Command {
	var f proposalFlags
	var asJSON, asCSV, counts bool
	cmd := &cobra.Command{
		Use:   "proposals",
		Short: "Show what is to be decided on, and decide",
		Long: `Show proposals, the newest received first, and decide on them.

  new       it waits for a first decision
  checked   a first person has decided that it should count
  referred  it was referred to a platform, and may still be checked
  listed    its target has an order; of a proposal to withdraw: delisted
  refused   it does not count
  withdrawn its source has taken it back

A first person checks, another confirms; the rules of the list say for which categories two are needed (blocklist rules
--two-persons). Confirming lists the target, with the guards and rules of blocklist add.

With --json: one proposal a line. With --csv: a table with a header, in which no cell is a formula to a spreadsheet.`,
		Example: `  blocklist -C DIR proposals --state new,checked
  blocklist -C DIR proposals --source hotline --since 2026-11-01 --json
  blocklist -C DIR proposals --csv --limit 0 > proposals.csv
  blocklist -C DIR proposals --counts
  blocklist -C DIR proposals --counts --since 2026-10-01 --until 2026-10-31
  blocklist -C DIR proposals check 17 18 --reason "looked at both"
  blocklist -C DIR proposals confirm 17-20`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asCSV && (asJSON || counts) {
				return usage("--csv goes without --json and --counts")
			}
			return a.withLedger(func(l *publish.Ledger) error {
				if counts {
					return a.printCounts(cmd.Context(), l, f.filter(), asJSON)
				}
				all := proposal.All(cmd.Context(), l, f.filter())
				if asCSV {
					return a.writeOut(func(w io.Writer) error { return proposal.WriteTable(w, all) })
				}
				same := func(p proposal.Proposal) proposal.Proposal { return p }
				return printAll(a, asJSON, all, same, proposalLine)
			})
		},
	}
	f.add(cmd, "category")
	cmd.Flags().IntVar(&f.Limit, "limit", 100, "at most `N`; 0: all")
	cmd.Flags().Int64Var(&f.After, "after", 0, "the next page: those behind the proposal `N`")
	cmd.Flags().BoolVar(&counts, "counts", false, "how many there are, by source, category and state; with --since or --until what was done with them")
	cmd.Flags().BoolVar(&asCSV, "csv", false, "write a table")
	jsonFlag(cmd, &asJSON)
	cmd.AddCommand(a.showProposal(), a.decision(proposal.Check), a.decision(proposal.Confirm), a.decision(proposal.Refuse),
		a.decision(proposal.Refer), a.decision(proposal.Withdraw))
	return cmd
}

// proposalLine returns a proposal as a line of text.
func proposalLine(p proposal.Proposal) string {
	parts := []string{fmt.Sprint(p.ID), p.State, p.Received.Format(time.DateOnly), p.Source, oneLine(p.Target)}
	if p.Withdraw {
		parts[1] += " (withdraw)"
	}
	if p.Serial > 0 {
		parts[3] += fmt.Sprintf("@%d", p.Serial)
	}
	for _, part := range []struct{ name, value string }{{"", p.Category}, {"ref ", p.Reference}, {"checked by ", p.Checker}} {
		if part.value != "" {
			parts = append(parts, part.name+part.value)
		}
	}
	return strings.Join(parts, "  ")
}

func (a *app) showProposal() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "show ID",
		Short:   "Show a proposal with all its steps, and what stands against it now",
		Example: "  blocklist -C DIR proposals show 17",
		Args:    args(unknown.Args(1, 1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := parseIDs(args)
			if err != nil {
				return err
			}
			return a.withLedger(func(l *publish.Ledger) error {
				p, steps, err := proposal.Get(cmd.Context(), l, ids[0])
				if err != nil {
					return err
				}
				found, err := proposal.Examine(cmd.Context(), l, []proposal.Proposal{p})
				if err != nil {
					return err
				}
				if asJSON {
					return a.printJSON(fields{"proposal": p, "steps": steps, "findings": found[0]})
				}
				return a.printProposal(p, steps, found[0])
			})
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func (a *app) printProposal(p proposal.Proposal, steps []proposal.DetailedStep, found proposal.Findings) error {
	w := visibleWriter{a.stdout}
	fmt.Fprintln(w, proposalLine(p))
	for _, part := range []struct{ name, value string }{
		{"note", p.Note},
		{"evidence (SHA-256)", p.Evidence},
		{"reporter", p.Reporter},
		{"key", p.Key},
		{"expires", dateText(p.Expires)},
		{"review", dateText(p.Review)},
	} {
		if part.value != "" {
			fmt.Fprintf(w, "  %s: %s\n", part.name, oneLine(part.value))
		}
	}
	for _, s := range steps {
		fmt.Fprintf(w, "  %s  %s by %s\n", s.Time.Format(time.RFC3339), s.Kind, whyText(s.Author, s.Reason, s.Reference))
	}
	if p.Operation > 0 {
		fmt.Fprintf(w, "  operation %d\n", p.Operation)
	}
	for _, line := range findingLines(found) {
		fmt.Fprintf(w, "  %s\n", oneLine(line))
	}
	return nil
}

// deciding has the flags of a command that decides on proposals.
type deciding struct {
	proposalFlags
	attributes attributeFlags
	by         publish.Audit
	yes        bool
}

// decisionTexts returns the help texts of the command for a decision.
func decisionTexts(verb proposal.Verb) (short, long string) {
	switch verb {
	case proposal.Check:
		return "Decide as the first person that proposals should count", "Decide as the first person that proposals should count. Category, reference, expiry and review are those of the order."
	case proposal.Confirm:
		return "Confirm proposals: list their targets", `Confirm proposals: list their targets, or withdraw the orders that proposals to withdraw are about. Where the rules of the list ask
for two persons, another person must have checked them. Each is confirmed or not by itself; together they are one operation.

A proposal to withdraw is about the order with its reference, or else about those of its source. --ref names another
one; --ref "" is the order without a reference.`
	case proposal.Refer:
		return "Refer proposals to a platform that can take the page down", "Refer proposals to a platform that can take the page down. The reason says to which. They can still be checked."
	case proposal.Withdraw:
		return "Note that the source of proposals has taken them back", "Note that the source of proposals has taken them back."
	case proposal.Refuse:
	}
	return "Refuse proposals", "Refuse proposals. A reason is needed: others see it."
}

func (a *app) decision(verb proposal.Verb) *cobra.Command {
	var o deciding
	short, long := decisionTexts(verb)
	cmd := &cobra.Command{
		Use:   string(verb) + " [ID|FROM-TO...]",
		Short: short,
		Long: long + `

Without an ID: all that the flags select and that wait for this decision. They are shown one by one first, and --yes is needed
where there is no terminal.`,
		Example: fmt.Sprintf(`  blocklist -C DIR proposals %s 17 20-25 --reason "looked at each"
  blocklist -C DIR proposals %[1]s --source de.example/wol --reason "as they say"`, verb),
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := parseIDs(args)
			if err != nil {
				return err
			}
			return a.withLedger(func(l *publish.Ledger) error { return a.runDecision(cmd, l, verb, ids, &o) })
		},
	}
	changing(cmd)
	o.add(cmd, "in-category")
	authorFlag(cmd, &o.by.Author)
	cmd.Flags().StringVar(&o.by.Reason, "reason", "", "the reason, a `TEXT` for the ledger")
	if verb == proposal.Refuse {
		required(cmd, "reason")
	}
	cmd.Flags().BoolVar(&o.yes, "yes", false, "decide on what the flags select without asking")
	if verb == proposal.Check || verb == proposal.Confirm {
		cmd.Flags().StringVar(&o.by.Reference, "ref", "", "the reference of the order, a `TEXT`, in place of that of the proposal")
		o.attributes.add(cmd)
	}
	if verb == proposal.Confirm {
		overrideFlag(cmd, &o.by.Override)
	}
	return cmd
}

// maxRange is the maximum number of IDs in a range.
const maxRange = proposal.MaxDecided

// parseIDs parses IDs of proposals, and ranges such as 3-9.
func parseIDs(texts []string) (ids []int64, err error) {
	for _, text := range texts {
		from, to, isRange := strings.Cut(text, "-")
		first, err := strconv.ParseInt(from, 10, 64)
		last := first
		if err == nil && isRange {
			last, err = strconv.ParseInt(to, 10, 64)
		}
		if err != nil || first < 1 || last < first || last-first >= maxRange {
			return nil, usage("%q: the number of a proposal is needed, or a range such as 20-25", text)
		}
		for id := first; id <= last; id++ {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// waitingStates returns the states in which a proposal can get a decision of this kind.
func waitingStates(verb proposal.Verb) []string {
	switch verb {
	case proposal.Check:
		return []string{proposal.New, proposal.Referred}
	case proposal.Confirm:
		return []string{proposal.Checked}
	case proposal.Refer:
		return []string{proposal.New, proposal.Checked}
	case proposal.Refuse, proposal.Withdraw:
	}
	return proposal.OpenStates()
}

func (a *app) runDecision(cmd *cobra.Command, l *publish.Ledger, verb proposal.Verb, ids []int64, o *deciding) error {
	d := proposal.Decision{
		Verb: verb, IDs: ids, Category: o.attributes.category, Reference: o.by.Reference,
		Expires: o.attributes.expires.Time, Review: o.attributes.review.Time,
	}
	if err := o.attributes.check(o.by.Reference); err != nil {
		return err
	}
	if len(d.IDs) == 0 {
		selected, err := a.selectProposals(cmd.Context(), l, verb, o)
		if err != nil {
			return err
		}
		d.IDs, d.Seen = slices.Sorted(maps.Keys(selected)), selected
	}
	if cmd.Flags().Changed("ref") { // the empty text is the reference of an order without one
		d.Orders = map[int64]string{}
		for _, id := range d.IDs {
			d.Orders[id] = o.by.Reference
		}
	}
	results, err := proposal.Decide(cmd.Context(), l, d, o.by)
	if err != nil {
		return err
	}
	return a.printDecided(verb, results)
}

// selectProposals shows the proposals that the flags select, and asks the user to confirm. It returns the ID of the
// last step of each proposal, by the proposal's ID.
func (a *app) selectProposals(ctx context.Context, l *publish.Ledger, verb proposal.Verb,
	o *deciding,
) (map[int64]int64, error) {
	f := o.filter()
	if len(f.States) == 0 {
		f.States = waitingStates(verb)
	}
	if verb == proposal.Confirm {
		f.NotChecker = o.by.Author
	}
	f.Limit = proposal.MaxDecided
	page, err := proposal.List(ctx, l, f)
	if err != nil {
		return nil, err
	}
	if verb == proposal.Refer { // no platform can withdraw an order
		page = slices.DeleteFunc(page, func(p proposal.Proposal) bool { return p.Withdraw })
	}
	if len(page) == 0 {
		return nil, exitError{exitNothing, errors.New("no proposal waits for this decision; blocklist proposals shows them")}
	}
	found, err := proposal.Examine(ctx, l, page)
	if err != nil {
		return nil, err
	}
	selected := map[int64]int64{}
	for i, p := range page {
		selected[p.ID] = p.Step
		a.printf("%s", proposalLine(p))
		for _, line := range findingLines(found[i]) {
			a.printf("    %s", line)
		}
	}
	if o.yes {
		return selected, nil
	}
	return selected, a.askToDecide(verb, uint64(len(page)))
}

func (a *app) askToDecide(verb proposal.Verb, n uint64) error {
	if _, ok := terminal(a.stdin); !ok {
		return withHint(errors.New("nothing was decided: there is no terminal to ask for your consent"), "--yes gives it, once you have seen what it is about")
	}
	yes, err := a.ask(fmt.Sprintf("%s %s?", verb, plural(n, "proposal", "proposals")))
	if err == nil && !yes {
		err = errors.New("you did not say yes; nothing was decided")
	}
	return err
}

// printDecided prints the result of a decision for each proposal. It fails if the decision applied to none of them.
func (a *app) printDecided(verb proposal.Verb, results []proposal.Decided) error {
	var failed []error
	done := uint64(0)
	for _, r := range results {
		if r.Err != nil {
			failed = append(failed, r.Err)
			a.printf("%v", r.Err)
			continue
		}
		done++
		a.printf("%d  %s  %s", r.ID, r.State, r.Target)
	}
	a.result(results)
	switch {
	case len(failed) == 0:
		if verb == proposal.Confirm {
			a.next("blocklist release makes the next release")
		}
		return nil
	case done == 0 && len(failed) == 1:
		return exitError{outcomeOf(failed[0]).code, nil}
	case done == 0:
		return exitError{exitFailed, fmt.Errorf("none of %s was decided", plural(uint64(len(results)), "proposal", "proposals"))}
	}
	return exitError{exitAttention, fmt.Errorf("%s of %s NOT decided", thousands(uint64(len(failed))), plural(uint64(len(results)), "proposal", "proposals"))}
}
