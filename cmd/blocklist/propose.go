package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
)

// proposing has the flags of propose.
type proposing struct {
	input
	same            proposal.Proposal // values for fields that are empty in a proposal
	evidence        string
	received        timeFlag
	file, csv, text string
	columns         []string
	yes             bool
	by              publish.Audit
}

func (a *app) propose() *cobra.Command {
	var o proposing
	cmd := &cobra.Command{
		Use:   "propose [NAME|URL|ADDRESS...]",
		Short: "Record what is to be decided on: reports, other lists, a pasted e-mail",
		Long: `Record proposals: what somebody has reported, and what two persons then decide on. Nothing is listed by it.

  propose NAME|URL...     these; defanged forms are understood (hxxp, [.], (.), [:]//)
  propose -f FILE         all entries of a list in any format
  propose --csv FILE      a table with a header; --map says which column has what
  propose --from-text -   what is clearly a target in the text of an e-mail. It is shown first, with what stands against it;
                          --yes records it

For each it says what stands against it: the same proposal, what lists or covers it already, what the guards would hold, a rule
of the list. What its source has proposed already, with nothing new, is that proposal.

Evidence is recorded as its SHA-256. The material itself is never stored. Who has reported is recorded only if the rules of the
list allow it (blocklist rules --reporters).`,
		Example: `  blocklist -C DIR propose hxxps://bad[.]example/page --source hotline --ref "case 17" --category csam --evidence shot.png
  blocklist -C DIR propose --csv reports.csv --map target=URL,received=Date --source hotline
  blocklist -C DIR propose --from-text mail.txt --source "mail of the police"
  blocklist -C DIR propose --from-text - --source hotline --ref "case 18" --yes < mail.txt`,
		RunE: func(cmd *cobra.Command, args []string) error {
			all, bad, err := a.proposalsGiven(args, &o)
			if err != nil {
				return err
			}
			if len(all) == 0 && bad == 0 {
				return usage("name targets, or give -f FILE, --csv FILE or --from-text FILE")
			}
			return a.withLedger(func(l *publish.Ledger) error {
				if o.text != "" && !o.yes {
					if err := a.askToPropose(cmd.Context(), l, all); err != nil {
						return err
					}
				}
				return a.runPropose(cmd.Context(), l, all, bad, o.by)
			})
		},
	}
	o.add(cmd)
	return cmd
}

func (o *proposing) add(cmd *cobra.Command) {
	authorFlag(cmd, &o.by.Author)
	f := cmd.Flags()
	f.StringVar(&o.by.Reason, "reason", "", "the reason, a `TEXT` for the ledger")
	f.StringVar(&o.same.Source, "source", "", "office or channel it comes from, a `TEXT` such as hotline; never the name of a citizen")
	f.StringVar(&o.same.Category, "category", "", "the category, a `WORD`")
	f.StringVar(&o.same.Reference, "ref", "", "the number of the case, a `TEXT`; also the reference of the order")
	f.StringVar(&o.same.Note, "note", "", "a `TEXT` for those who decide")
	f.StringVar(&o.same.Reporter, "reporter", "", "who has reported it, a `TEXT`; only if the rules of the list allow it")
	f.StringVar(&o.same.Key, "key", "", "a `TEXT` that its source gives to each proposal: the same again is the same proposal")
	f.StringVar(&o.evidence, "evidence", "", "the `FILE` with the evidence, of which only the SHA-256 is recorded; or that SHA-256")
	f.Var(&o.received, "received", "the `DATE` or time at which it was received (default: now)")
	f.BoolVar(&o.same.Withdraw, "withdraw", false, "propose that it is listed no more")
	f.StringVarP(&o.file, "file", "f", "", "a `FILE` with entries, - for standard input")
	f.StringVar(&o.csv, "csv", "", "a `FILE` with a table, - for standard input")
	f.StringSliceVar(&o.columns, "map", nil, "which columns the table has, as `FIELD=COLUMN` with commas between them; fields: "+strings.Join(proposal.Fields(), ", "))
	f.StringVar(&o.text, "from-text", "", "a `FILE` with the text of an e-mail, - for standard input")
	f.BoolVar(&o.yes, "yes", false, "record what was found in a text without asking")
	o.flags(cmd, "format")
}

// proposalsGiven returns the proposals in the arguments and files, and the number of those that could not be read.
func (a *app) proposalsGiven(args []string, o *proposing) (all []proposal.Proposal, bad uint64, err error) {
	if o.same.Evidence, err = evidenceSum(o.evidence); err != nil {
		return nil, 0, err
	}
	o.same.Received = o.received.Time
	for _, arg := range args {
		all = append(all, proposal.Proposal{Target: arg})
	}
	for _, read := range []struct {
		path string
		from func(io.Reader, *proposing) ([]proposal.Proposal, uint64, error)
	}{{o.csv, a.proposalsInTable}, {o.text, a.proposalsInText}} {
		if read.path == "" {
			continue
		}
		in, done, err := a.openInput(read.path)
		if err != nil {
			return nil, 0, err
		}
		more, broken, err := read.from(in, o)
		done()
		if err != nil {
			return nil, 0, fmt.Errorf("reading %s: %w", read.path, err)
		}
		all, bad = append(all, more...), bad+broken
	}
	if o.file != "" {
		more, err := a.proposalsInList(o)
		if err != nil {
			return nil, 0, err
		}
		all = append(all, more...)
	}
	for i, p := range all {
		all[i] = completed(p, o.same)
		if all[i].Source == "" {
			return nil, 0, usage("--source is missing: where it comes from")
		}
	}
	return all, bad, nil
}

// completed returns the proposal p. Fields that are empty in p have the values of defaults.
func completed(p, defaults proposal.Proposal) proposal.Proposal {
	for _, f := range []struct{ own, other *string }{
		{&p.Source, &defaults.Source},
		{&p.Category, &defaults.Category},
		{&p.Reference, &defaults.Reference},
		{&p.Note, &defaults.Note},
		{&p.Reporter, &defaults.Reporter},
		{&p.Key, &defaults.Key},
		{&p.Evidence, &defaults.Evidence},
	} {
		if *f.own == "" {
			*f.own = *f.other
		}
	}
	if p.Received.IsZero() {
		p.Received = defaults.Received
	}
	p.Withdraw = defaults.Withdraw
	return p
}

var isSHA256 = regexp.MustCompile(`^[0-9A-Fa-f]{64}$`)

// evidenceSum returns the SHA-256 of the given file, or the argument itself if it is a SHA-256 in hexadecimal.
func evidenceSum(given string) (string, error) {
	if given == "" || isSHA256.MatchString(given) {
		return given, nil
	}
	in, done, err := (&app{}).openInput(given)
	if err != nil {
		return "", fmt.Errorf("reading the evidence: %w", err)
	}
	defer done()
	sum := sha256.New()
	if _, err := io.Copy(sum, in); err != nil {
		return "", fmt.Errorf("reading the evidence: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func (a *app) proposalsInTable(in io.Reader, o *proposing) (all []proposal.Proposal, bad uint64, err error) {
	columns := map[string]string{}
	for _, text := range o.columns {
		field, column, ok := strings.Cut(text, "=")
		if !ok {
			return nil, 0, usage("--map %q: FIELD=COLUMN is needed, such as target=URL", text)
		}
		columns[field] = column
	}
	rows := 0
	for p, err := range proposal.ReadTable(in, columns) {
		if err == nil {
			all = append(all, p)
			rows++
			continue
		}
		if rows == 0 && len(all) == 0 && p == (proposal.Proposal{}) {
			return nil, 0, withHint(err, "--map FIELD=COLUMN says which column has what, such as --map target=URL")
		}
		if bad++; bad <= maxShown {
			a.printf("left out: %v", err)
		}
	}
	return all, bad, nil
}

func (a *app) proposalsInText(in io.Reader, _ *proposing) (all []proposal.Proposal, bad uint64, err error) {
	found, err := proposal.FindTargets(in)
	if err == nil && !slices.ContainsFunc(found, func(f proposal.Found) bool { return f.Sure }) {
		err = errors.New("nothing in it is clearly a URL, a name or an address")
	}
	if err != nil {
		return nil, 0, err
	}
	for _, f := range found {
		if f.Target == "" {
			bad++
			a.printf("line %d: %s: left out: %s", f.Line, f.Text, f.Why)
			continue
		}
		if !f.Sure {
			a.printf("line %d: %s: left out: it may not be meant; name it to propose it", f.Line, f.Target)
			continue
		}
		again := ""
		if f.Again > 0 {
			again = fmt.Sprintf(", and in %s", plural(uint64(f.Again), "further line", "further lines"))
		}
		a.printf("line %d: %s%s", f.Line, f.Target, again)
		all = append(all, proposal.Proposal{Target: f.Target})
	}
	return all, bad, nil
}

// askToPropose shows what stands against proposals, and asks whether to record them.
func (a *app) askToPropose(ctx context.Context, l *publish.Ledger, all []proposal.Proposal) error {
	findings, err := proposal.Examine(ctx, l, all)
	if err != nil {
		return err
	}
	for i, f := range findings[:min(len(findings), maxShown)] {
		for _, line := range findingLines(f) {
			a.printf("%s: %s", all[i].Target, line)
		}
	}
	if _, ok := terminal(a.stdin); !ok {
		return withHint(errors.New("nothing was recorded: what was found waits for your consent"), "--yes gives it, once you have seen what was found")
	}
	yes, err := a.ask(fmt.Sprintf("propose %s?", plural(uint64(len(all)), "target", "targets")))
	if err == nil && !yes {
		err = errors.New("you did not say yes; nothing was recorded")
	}
	return err
}

func (a *app) proposalsInList(o *proposing) (all []proposal.Proposal, err error) {
	r, done, err := o.open(a, o.file)
	if err != nil {
		return nil, err
	}
	defer done()
	for e, err := range r.Entries() {
		if err != nil {
			return nil, err
		}
		all = append(all, proposal.Proposal{
			Target: e.Target(), Category: e.Category, Reference: e.Reference, Expires: e.Expires, Review: e.Review,
		})
	}
	a.printReport(r.Report())
	return all, nil
}

// proposed is the JSON form of the result of propose.
type proposed struct {
	Recorded uint64            `json:"recorded"`
	Repeated uint64            `json:"repeated"`
	Rejected uint64            `json:"rejected"`
	Results  []proposal.Result `json:"results"`
}

func (a *app) runPropose(ctx context.Context, l *publish.Ledger, all []proposal.Proposal, bad uint64,
	by publish.Audit,
) error {
	r := proposed{Rejected: bad}
	var err error
	show, done := a.progress("proposing: %s")
	r.Results, err = proposal.Propose(ctx, l, all, by, show)
	done()
	if err != nil {
		return err
	}
	for i, p := range r.Results {
		switch p.Outcome {
		case proposal.Recorded:
			r.Recorded++
		case proposal.Repeated:
			r.Repeated++
		case proposal.Rejected:
			r.Rejected++
		}
		if i < maxShown {
			a.printProposed(p)
		}
	}
	a.result(r)
	a.printf("proposals: %s recorded, %s known already, %s left out", thousands(r.Recorded), thousands(r.Repeated), thousands(r.Rejected))
	if r.Rejected > 0 {
		return exitError{exitAttention, nil}
	}
	return nil
}

func (a *app) printProposed(r proposal.Result) {
	switch r.Outcome {
	case proposal.Rejected:
		a.printf("%s: left out: %s", shortened(r.Target, maxLine), r.Why)
		return
	case proposal.Repeated:
		a.printf("%d  %s  known already, %s", r.ID, r.Target, r.State)
	case proposal.Recorded:
		a.printf("%d  %s", r.ID, r.Target)
	}
	for _, line := range findingLines(r.Findings) {
		a.printf("    %s", line)
	}
}

// findingLines returns the findings about a proposal, as lines of text.
func findingLines(f proposal.Findings) (lines []string) {
	if f.Listed != "" {
		lines = append(lines, "listed already: "+f.Listed)
	}
	if f.Covered != "" {
		lines = append(lines, "covered already by "+f.Covered)
	}
	for _, g := range f.Guards {
		what := "guard: "
		if g.Severity == "hold" {
			what = "the guards would hold it: "
		}
		lines = append(lines, what+g.Why)
	}
	if f.Breach != nil {
		lines = append(lines, f.Breach.Error())
	}
	for i, other := range f.Same {
		if i == 3 {
			lines = append(lines, fmt.Sprintf("and %d more proposals", len(f.Same)-i))
			break
		}
		lines = append(lines, fmt.Sprintf("also proposal %d, from %s, %s", other.ID, other.Source, other.State))
	}
	return lines
}
