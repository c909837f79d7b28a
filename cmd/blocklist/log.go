package main

import (
	"bufio"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/cmd/internal/unknown"
)

func (a *app) log() *cobra.Command {
	var f publish.LogFilter
	var since timeFlag
	var until endFlag
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "log",
		Short: "Show the operations: who changed what, when and why",
		Long: `Show the operations, oldest first: number, hash, time, kind, lines added and removed, author, reason and reference. Below
each operation are the first targets that it changed: +NAME was added, -NAME removed, NAME has other attributes or orders,
?URL was checked. On a terminal the output goes through a pager. blocklist show OPERATION shows one operation in full.

Without any flag it shows the newest 20; -n 0 shows all. In --author and --ref a star stands for any text. With several
flags, it shows the operations that fit all of them.

With --json: one operation a line, with the fields id, time, author, kind, reason, reference, added, removed (lines), entries and
digest (of the list afterwards), last_change, changes_hash, hash, changed (the first targets), more (lines about others).`,
		Example: `  blocklist -C DIR log -n 20
  blocklist -C DIR log --since 2026-10-01 --until 2026-10-31 --author anna --kind add,remove
  blocklist -C DIR log --ref 'order 2026/*' --json
  blocklist -C DIR log --target example.com`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.Since, f.Until = since.Time, until.Time
			if err := checkFilter(f); err != nil {
				return err
			}
			if !anyChanged(cmd, "since", "until", "author", "ref", "kind", "target", "number", "json") {
				f.Last = newest
			}
			return a.withLedger(func(l *publish.Ledger) error { return a.printLog(cmd, l, f, asJSON) })
		},
	}
	cmd.Flags().Var(&since, "since", "only from this `DATE` or time on, in UTC")
	cmd.Flags().Var(&until, "until", "only up to the end of this `DATE`, or before this time")
	cmd.Flags().StringVar(&f.Author, "author", "", "only by this author, a `TEXT`")
	cmd.Flags().StringVar(&f.Reference, "ref", "", "only with this reference, a `TEXT`")
	cmd.Flags().StringSliceVar(&f.Kinds, "kind", nil, "only of this `KIND`, or several with commas: "+strings.Join(publish.Kinds(), ", "))
	cmd.Flags().StringVar(&f.Target, "target", "", "only operations that changed exactly this `ENTRY`: a name, URL or address")
	cmd.Flags().IntVarP(&f.Last, "number", "n", 0, "only the newest `N`; 0 for all")
	jsonFlag(cmd, &asJSON)
	return cmd
}

// newest is the default number of operations, or of releases, that a command shows.
const newest = 20

// anyChanged reports whether one of the flags was given.
func anyChanged(cmd *cobra.Command, names ...string) bool {
	return slices.ContainsFunc(names, cmd.Flags().Changed)
}

func checkFilter(f publish.LogFilter) error {
	for _, kind := range f.Kinds {
		if !slices.Contains(publish.Kinds(), kind) {
			return usage("--kind %q is not one of %s", kind, strings.Join(publish.Kinds(), ", "))
		}
	}
	if f.Last < 0 {
		return usage("-n %d is negative", f.Last)
	}
	return nil
}

func (a *app) printLog(cmd *cobra.Command, l *publish.Ledger, f publish.LogFilter, asJSON bool) error {
	operations := l.Log(cmd.Context(), f)
	if asJSON {
		same := func(o publish.LoggedOperation) publish.LoggedOperation { return o }
		return printAll(a, true, operations, same, nil)
	}
	var before int64
	err := a.paged(func() error {
		out := bufio.NewWriter(a.stdout)
		w := visibleWriter{out}
		for o, err := range operations {
			if err != nil {
				return errors.Join(out.Flush(), err)
			}
			if before == 0 {
				before = o.ID
			}
			fmt.Fprintln(w, operationText(o.Operation))
			if line := changedText(o); line != "" {
				fmt.Fprintf(w, "      %s\n", line)
			}
		}
		return out.Flush()
	})
	if f.Last == newest && before > 1 {
		a.printf("and %s before; -n 0 shows all", plural(uint64(before-1), "operation", "operations"))
	}
	return err
}

// changedText returns the first changed targets of an operation, as one line of text.
func changedText(o publish.LoggedOperation) string {
	if len(o.Changed) == 0 {
		return ""
	}
	shown := make([]string, len(o.Changed))
	for i, target := range o.Changed {
		shown[i] = shortened(oneLine(target), maxField)
	}
	text := strings.Join(shown, " ")
	if o.More > 0 {
		text += fmt.Sprintf(", and %s; blocklist show %d", plural(o.More, "more line", "more lines"), o.ID)
	}
	return text
}

// oneLine escapes line ends and tabs in a text from the ledger. Only an altered ledger has them.
func oneLine(text string) string { return strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(text) }

// endFlag is a flag for the end of a period. If it is a day, the period includes that day.
type endFlag struct{ timeFlag }

// Set implements pflag.Value.
func (f *endFlag) Set(text string) error {
	if err := f.timeFlag.Set(text); err != nil {
		return err
	}
	if _, err := time.Parse(time.DateOnly, text); err == nil {
		f.Time = f.AddDate(0, 0, 1)
	}
	return nil
}

func (a *app) showOperation() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show OPERATION",
		Short: "Show all of one operation: cause, lines, and the release with it",
		Long: `Show one operation in full, by its number or the first digits of its hash: cause, lines, and the first release with it. On a
terminal the output goes through a pager. Lines begin with + (added), - (removed), & (order given to an entry that rests on
several), ~ (order withdrawn from such an entry), or ? (page checked).

With --json: the operation with "before" (the hash before it) and "release" or "pending" (a serial), then each line:
{"change":"add"} or remove, order, withdraw, with the entry; {"change":"check"} with page, checked and gone.`,
		Example: "  blocklist -C DIR show 12\n  blocklist -C DIR show 3024ebd6 --json",
		Args:    args(unknown.Args(1, 1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withLedger(func(l *publish.Ledger) error {
				o, err := l.Operation(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				lines := l.OperationLines(cmd.Context(), o.Operation)
				if asJSON {
					if err := a.printJSON(o); err != nil {
						return err
					}
					return printAll(a, true, lines, lineToJSON, nil)
				}
				return a.paged(func() error {
					a.printOperation(o)
					return printAll(a, false, lines, lineToJSON, lineText)
				})
			})
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

// printOperation prints an operation without its lines.
func (a *app) printOperation(o publish.ShownOperation) {
	for _, field := range [][2]string{
		{"operation", fmt.Sprint(o.ID)},
		{"time", o.Time.Format(time.RFC3339)},
		{"author", o.Author},
		{"kind", o.Kind},
		{"reason", o.Reason},
		{"reference", o.Reference},
		{"lines", fmt.Sprintf("+%s -%s", thousands(o.Added), thousands(o.Removed))},
		{"entries", thousands(o.Entries) + " afterwards"},
		{"digest", o.Digest},
		{"hash", o.Hash},
		{"before", o.Before},
		{"release", publicationText(o.Publication)},
	} {
		if field[1] != "" {
			fmt.Fprintf(visibleWriter{a.stdout}, "%-9s  %s\n", field[0], field[1])
		}
	}
}

// publicationText returns the text about the release that contains an operation, and about the signers of the release.
func publicationText(p publish.Publication) string {
	switch r := p.Release; {
	case r != nil && r.Problem != "":
		return fmt.Sprintf("serial %d, pushed %s; its signatures can't be verified: %s", r.Serial, r.Pushed.Format(time.RFC3339), r.Problem)
	case r != nil:
		return fmt.Sprintf("serial %d of %s, signed by %s, pushed %s", r.Serial, r.Created.Format(time.RFC3339), strings.Join(r.Signed, ", "),
			r.Pushed.Format(time.RFC3339))
	case p.Pending > 0:
		return fmt.Sprintf("pending, as serial %d", p.Pending)
	}
	return "not released yet"
}

// lineJSON is the JSON form of a line of an operation.
type lineJSON struct {
	Change string `json:"change"` // add, remove, order, withdraw or check
	*entryJSON
	Page    string     `json:"page,omitempty"` // the page that was checked
	Checked *time.Time `json:"checked,omitempty"`
	Gone    *bool      `json:"gone,omitempty"`
	Line    string     `json:"line,omitempty"` // the line as text, if it is not an entry
}

func lineToJSON(l publish.OperationLine) lineJSON {
	change := map[string]string{"+": "add", "-": "remove", "&": "order", "~": "withdraw", "?": "check"}[l.Sign]
	if l.Check != nil {
		return lineJSON{Change: change, Page: l.Target, Checked: &l.Check.Checked, Gone: &l.Check.Removed}
	}
	e, err := blocklist.ParseEntry(l.Target + l.Attributes)
	if err != nil {
		return lineJSON{Change: change, Line: l.Target + l.Attributes}
	}
	entry := toJSON(e)
	return lineJSON{Change: change, entryJSON: &entry}
}

func lineText(l publish.OperationLine) string {
	text := l.Sign + oneLine(l.Target+l.Attributes)
	if l.Check != nil {
		text += " " + checkText(*l.Check)
	}
	return text
}

func checkText(c publish.PageCheck) string {
	if c.Removed {
		return "gone at " + c.Checked.Format(time.RFC3339)
	}
	return "still there at " + c.Checked.Format(time.RFC3339)
}
