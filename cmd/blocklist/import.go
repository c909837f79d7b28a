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
)

// input has the options for reading a list in any format.
type input struct {
	format, scope, zone string
	stopPage            []string
	flag                string // name of the flag for the format
}

// flags adds the flags. The flag for the format has the given name.
func (in *input) flags(cmd *cobra.Command, name string) {
	in.flag = name
	cmd.Flags().StringVar(&in.format, name, string(formats.Auto), "the `FORMAT`: "+list(formats.Readable()))
	cmd.Flags().StringVar(&in.scope, "scope", "", "read names with the `SCOPE` domain or host, whatever the format means by them")
	cmd.Flags().StringVar(&in.zone, "zone-origin", "", "the `NAME` of the RPZ zone, if the file does not have it")
	cmd.Flags().StringSliceVar(&in.stopPage, "stop-page", nil, "the `ADDRESS` or name of the page to which the list's author redirects blocked names")
}

// tableHelp says how the columns of a table are called.
func tableHelp() string {
	return `A table (CSV) needs a header. What is listed is in a column with one of the names ` + strings.Join(formats.TargetColumns()[:7], ", ") + `,
` + strings.Join(formats.TargetColumns()[7:], ", ") + `. Others that are read: category, ref, status, added, expires, review, removed, active.`
}

func list(all []formats.Format) string {
	words := make([]string, len(all))
	for i, f := range all {
		words[i] = string(f)
	}
	return strings.Join(words, ", ")
}

// open opens a list in a file, or on standard input for "-".
func (in *input) open(a *app, path string) (*formats.Reader, func(), error) {
	o := formats.Options{Origin: in.zone, StopPage: in.stopPage, Name: path}
	var err error
	if o.Format, err = formats.Parse(in.format); err != nil {
		return nil, nil, usage("%w", err)
	}
	if o.Scope, err = parseScope(in.scope); err != nil {
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
			err = withHint(err, "--%s FORMAT names the format, if it is another one", in.flag)
		}
		return nil, nil, err
	}
	return r, done, nil
}

// openInput opens a file, or standard input for "-".
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

// printReport prints the format, the counts, and the skipped lines of a list.
func (a *app) printReport(r formats.Report) {
	a.printRead(r)
	a.printSkipped(r.Skipped, false)
}

func (a *app) printRead(r formats.Report) {
	a.printf("read as %s: %s, %s", r.Format, plural(uint64(r.Lines), "line", "lines"), plural(uint64(r.Entries), "entry", "entries"))
	if r.URLs > 0 {
		a.printf("of these, %s: DNS alone cannot enforce them", plural(uint64(r.URLs), "URL", "URLs"))
	}
}

// printSkipped prints the skipped lines by reason. For an order, it also prints the numbers of the lines that may be
// meant as entries.
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

Category, reference, expiry and review apply to entries without their own. If an entry is listed already, import gives a
further order, or changes the order with the same reference, as add does. Lines that are not entries are skipped and counted
by reason. So are URLs with a fragment (https://app.example/#/profile/7): a fragment never leaves the browser, and without it
the whole page would be listed. A file is refused if most of its lines do not fit its format.

` + tableHelp() + `

What the guards hold, just as in blocklist add, is left out and explained, the rest is listed, and the exit code says so. See
blocklist guard.

With --ref the file is an order, as is a list of domains that begins with the number and day of one (0000351_2026.05.11), which
is then the reference. What an order names and is not listed is reported with its lines as NOT listed, and the exit code is 3:
the entries that could be read are on the list, the rest is to be added by hand. So it is if entries break the rules of the list.

With --replace the file is all that the order --ref (such as the name of a feed) says: the orders with this reference are withdrawn from entries
that the file does not name, and those of the others are as the file says. Orders with another reference stay, and so does
an entry that rests on one. Nothing is replaced if a line can't be read or breaks a rule, or if more than the usual share comes or
goes, unless --override says why.`,
		Example: `  blocklist -C DIR import hosts.txt --ref "order 2026/17"
  blocklist -C DIR import week-48.csv --ref "feed of example.org" --replace
  zcat list.gz | blocklist -C DIR import - --format domains`,
		Args: args(cobra.ExactArgs(1)),
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
				c.Reason = "import of " + filepath.Base(args[0])
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
	show, done := a.progress("importing")
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

// errPartly is returned if part of an order is not listed.
var errPartly = errors.New("some of what the order names is NOT listed")

// allRead yields entries. It fails at the end if a skipped line may be meant as an entry.
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

func filled(entries iter.Seq2[blocklist.Entry, error], attributes *attributeFlags, reference string) iter.Seq2[blocklist.Entry, error] {
	return func(yield func(blocklist.Entry, error) bool) {
		for e, err := range entries {
			if !yield(attributes.fill(e, reference), err) {
				return
			}
		}
	}
}
