package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/cmd/internal/unknown"
)

// input has the options for reading a list in any format.
type input struct {
	format, scope, zone string
	stopPage, columns   []string
	flag                string // name of the flag for the format
}

// flags adds the flags to a command. The flag for the format has the given name.
func (in *input) flags(cmd *cobra.Command, name string) {
	in.flag = name
	cmd.Flags().StringVar(&in.format, name, string(formats.Auto), "the `FORMAT`: "+list(formats.Readable()))
	cmd.Flags().StringVar(&in.scope, "scope", "", "read names with the `SCOPE` domain or host, whatever the format means by them")
	cmd.Flags().StringVar(&in.zone, "zone-origin", "", "the `NAME` of the RPZ zone, if the file does not have it")
	cmd.Flags().StringSliceVar(&in.stopPage, "stop-page", nil, "the `ADDRESS` or name of the page to which the list's author redirects blocked names")
	cmd.Flags().StringArrayVar(&in.columns, "column", nil, "read a column of a table as another one, as `NAME=COLUMN`, such as Website=url; once for each")
}

// tableHelp returns the help text about the names of columns in tables.
func tableHelp() string {
	return `A table (CSV) needs a header. What is listed is in a column with one of the names ` + strings.Join(formats.TargetColumns()[:7], ", ") + `,
` + strings.Join(formats.TargetColumns()[7:], ", ") + `. Others that are read: category, ref, status, added, expires, review, valid_from, removed, active. For a column
with another name, --column says which of these it is: --column Website=url --column Aktenzeichen=ref. With ignore, as in
--column Note=ignore, it says nothing about its row.`
}

// parseColumns parses the values of the flags --column.
func parseColumns(texts []string) (map[string]string, error) {
	columns := map[string]string{}
	for _, text := range texts {
		i := strings.LastIndexByte(text, '=')
		if i < 0 {
			return nil, usage("--column %q: NAME=COLUMN is needed, such as Website=url", text)
		}
		columns[text[:i]] = text[i+1:]
	}
	return columns, nil
}

func list(all []formats.Format) string {
	words := make([]string, len(all))
	for i, f := range all {
		words[i] = string(f)
	}
	return strings.Join(words, ", ")
}

// open opens a list in a file; "-" is standard input. The caller has to call the returned function after the last read.
func (in *input) open(a *app, path string) (*formats.Reader, func(), error) {
	o := formats.Options{Origin: in.zone, StopPage: in.stopPage, Name: path}
	var err error
	if o.Format, err = formats.Parse(in.format); err != nil {
		return nil, nil, usage("%w", err)
	}
	if o.Scope, err = parseScope(in.scope); err != nil {
		return nil, nil, err
	}
	if o.Columns, err = parseColumns(in.columns); err != nil {
		return nil, nil, err
	}
	source, done, err := a.openInput(path)
	if err != nil {
		return nil, nil, err
	}
	r, err := formats.NewReader(source, o)
	if err != nil {
		done()
		if o.Format == formats.Auto && errors.Is(err, blocklist.ErrMalformed) {
			err = withHint(err, "--%s FORMAT names the format, if it is another one; --column NAME=COLUMN says what a column of a table has", in.flag)
		}
		return nil, nil, err
	}
	return r, done, nil
}

// openInput opens a file; "-" is standard input. The caller has to call the function done after the last read.
func (a *app) openInput(path string) (r io.Reader, done func(), err error) {
	if path == "-" {
		return a.stdin, func() {}, nil
	}
	if err := notURL(path); err != nil {
		return nil, nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	return f, func() { f.Close() }, nil //nolint:errcheck // it was only read
}

func parseScope(text string) (blocklist.Scope, error) {
	for _, s := range []blocklist.Scope{blocklist.ScopeDomain, blocklist.ScopeHost} {
		if text == s.String() {
			return s, nil
		}
	}
	if text == "" {
		return 0, nil
	}
	return 0, usage("scope %q: it is domain or host", text)
}

// printReport prints how a list was read: its format, the counts, and the skipped lines.
func (a *app) printReport(r formats.Report) {
	a.printRead(r)
	a.printSkipped(r.Skipped, false)
}

// fileResult is the JSON form of the changes that a command made with the entries of a file.
type fileResult struct {
	publish.ChangeResult
	Missing uint64    `json:"missing,omitempty"` // entries to be removed that were not on the list
	Read    *fileRead `json:"read,omitempty"`
}

// fileRead is the JSON form of a [formats.Report].
type fileRead struct {
	Format  formats.Format `json:"format"`
	Lines   int            `json:"lines"`
	Entries int            `json:"entries"`
	URLs    int            `json:"urls,omitempty"` // number of url entries, which DNS alone can't enforce
	Skipped []skippedLines `json:"skipped,omitempty"`
}

// skippedLines are the lines that were skipped for one reason.
type skippedLines struct {
	Reason string `json:"reason"`
	Count  int    `json:"count"`
	Lines  []int  `json:"lines"`  // line numbers of the first ones, at most 100
	Missed bool   `json:"missed"` // whether the lines may be meant as entries
	Hint   string `json:"hint,omitempty"`
}

func readToJSON(r formats.Report) *fileRead {
	out := &fileRead{Format: r.Format, Lines: r.Lines, Entries: r.Entries, URLs: r.URLs}
	for _, s := range r.Skipped {
		out.Skipped = append(out.Skipped, skippedLines{s.Reason, s.Count, s.Lines, s.Missed(), s.Hint})
	}
	return out
}

func (a *app) printRead(r formats.Report) {
	a.printf("read as %s: %s, %s", r.Format, plural(uint64(r.Lines), "line", "lines"), plural(uint64(r.Entries), "entry", "entries"))
	if r.URLs > 0 {
		a.printf("of these, %s: DNS alone cannot enforce them", plural(uint64(r.URLs), "URL", "URLs"))
	}
}

// printSkipped prints the skipped lines by reason, with the first line numbers. If order is set, the file is an order
// to block its entries: then all line numbers of lines that may be meant as entries are printed.
func (a *app) printSkipped(skipped []formats.Skip, order bool) {
	for _, s := range skipped {
		what, lines := "skipped", s.Lines[:min(len(s.Lines), 5)]
		if order && s.Missed() {
			what, lines = "NOT listed", s.Lines
		}
		numbers := strings.Trim(fmt.Sprint(lines), "[]")
		if s.Count > len(lines) {
			numbers += " ..."
		}
		noun := "lines"
		if s.Count == 1 {
			noun = "line"
		}
		hint := ""
		if s.Hint != "" {
			hint = ": " + s.Hint
		}
		a.printf("%s: %s: %s (%s %s)%s", what, s.Reason, thousands(uint64(s.Count)), noun, numbers, hint)
	}
}

func (a *app) importList() *cobra.Command {
	var c publish.Audit
	var attributes attributeFlags
	var in input
	var replace bool
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "List everything in a file, of any format",
		Long: `List everything in a file, of any format: all of it in one step, or nothing. - is standard input.

--category, --ref, --expires and --review apply to entries without their own. If an entry is listed already, import gives a
further order, or changes the order with the same reference, as add does. Lines that are not entries are skipped, and counted
by reason. A URL with a fragment (https://app.example/#/profile/7) is skipped, too: a fragment never leaves the browser, and
without it the whole page would be listed. A file is refused if most of its lines do not fit its format.

` + tableHelp() + `

Entries that the guards hold, or that break the rules of the list, are left out and shown. All others are listed, and the exit
code is 3. See blocklist guard and blocklist rules.

With --ref the file is an order. A line that may name something, and is not listed, is then shown as NOT listed with its number,
and the exit code is 3: add it by hand. A list of domains that begins with the number and day of an order (0000351_2026.05.11)
is an order, too, with these as the reference.

With --replace the file is the full list of the order --ref, such as a feed. The order is withdrawn from entries that the file
does not name, and is for the others as the file says. Other orders stay, and so does an entry that rests on one. Nothing is
replaced if a line can't be read or breaks a rule, or if more than 20 % of the order's entries come or go, unless --override
says why.

With --json the lines that were skipped are in the result, by reason: the numbers of the first 100, and whether they were
"missed", which means that they may name something.`,
		Example: `  blocklist -C DIR import hosts.txt --ref "order 2026/17"
  blocklist -C DIR import week-48.csv --ref "feed of example.org" --replace
  blocklist -C DIR import table.csv --column Website=url --column Aktenzeichen=ref
  zcat list.gz | blocklist -C DIR import - --format domains`,
		Args: args(unknown.Args(1, 1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := attributes.check(c.Reference); err != nil {
				return err
			}
			r, done, err := in.open(a, args[0])
			if err != nil {
				return err
			}
			defer done()
			c.Reference = cmp.Or(c.Reference, r.Report().Reference)
			if c.Reason == "" {
				c.Reason = publish.CauseImport.With(filepath.Base(args[0])).String()
			}
			if replace && c.Reference == "" {
				return usage("--replace needs --ref TEXT: the orders with this reference are replaced")
			}
			return a.withLedger(func(l *publish.Ledger) error { return a.runImport(cmd, l, r, &attributes, c, replace) })
		},
	}
	in.flags(cmd, "format")
	causeFlags(cmd, &c)
	overrideFlag(cmd, &c.Override)
	attributes.add(cmd)
	cmd.Flags().BoolVar(&replace, "replace", false, "withdraw the order --ref from all entries that the file does not name")
	return cmd
}

func (a *app) runImport(cmd *cobra.Command, l *publish.Ledger, r *formats.Reader, attributes *attributeFlags,
	c publish.Audit, replace bool,
) error {
	show, done := a.progress("importing: %s entries")
	entries := filled(r.Entries(), attributes, c.Reference)
	var result publish.ChangeResult
	var err error
	if replace {
		result, err = l.Replace(cmd.Context(), c.Reference, allRead(entries, r), c, show)
	} else {
		result, err = l.Import(cmd.Context(), entries, c, show)
	}
	done()
	report, order := r.Report(), c.Reference != ""
	a.printRead(report)
	a.printSkipped(report.Skipped, order)
	a.result(fileResult{ChangeResult: result, Read: readToJSON(report)})
	if err != nil {
		return err
	}
	a.printResult(result, replace)
	switch held := plural(result.Refused, "entry", "entries"); {
	case result.Broken > 0 || order && (result.Refused > 0 || slices.ContainsFunc(report.Skipped, formats.Skip.Missed)):
		if result.Refused > 0 {
			a.printf("NOT listed: held by the guards: %s", held)
		}
		return exitError{exitAttention, withHint(errPartly, "add what is missing as it is meant (blocklist add, with --override TEXT what the guards hold); everything else is listed")}
	case result.Refused > 0:
		return exitError{exitAttention, withHint(fmt.Errorf("%w: %s left out", blocklist.ErrHeld, held), "everything else is listed; what is meant all the same is listed by --override TEXT, which is recorded")}
	}
	return nil
}

// errPartly is returned if part of an order could not be listed.
var errPartly = errors.New("some of what the order names is NOT listed")

// allRead yields the entries that r reads. If r skipped a line that may be meant as an entry, it yields an error at the
// end.
func allRead(entries iter.Seq2[blocklist.Entry, error], r *formats.Reader) iter.Seq2[blocklist.Entry, error] {
	return func(yield func(blocklist.Entry, error) bool) {
		for e, err := range entries {
			if !yield(e, err) {
				return
			}
		}
		if slices.ContainsFunc(r.Report().Skipped, formats.Skip.Missed) {
			yield(blocklist.Entry{}, fmt.Errorf("replacing: %w: some lines can't be read, so what they name would be withdrawn; mend them first", blocklist.ErrMalformed))
		}
	}
}

func filled(entries iter.Seq2[blocklist.Entry, error], attributes *attributeFlags,
	reference string,
) iter.Seq2[blocklist.Entry, error] {
	return func(yield func(blocklist.Entry, error) bool) {
		for e, err := range entries {
			if !yield(attributes.fill(e, reference), err) {
				return
			}
		}
	}
}
