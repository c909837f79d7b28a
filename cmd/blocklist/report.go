package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/buildinfo"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/report"
	"github.com/argine-dns/argine/blocklist/publish/words"
	"github.com/argine-dns/argine/cmd/internal/unknown"
)

// reportFlags are the flags of report.
type reportFlags struct {
	out, month, from, language string
	receipts                   receiptsFlags
}

func (a *app) reportPage() *cobra.Command {
	var f reportFlags
	cmd := &cobra.Command{
		Use:   "report [NAME|URL|ADDRESS] -o FILE.html",
		Short: "Write a page to print: the history of one entry, or what happened in a month",
		Long: `Write a page to print: the history of one entry and of the entries that cover it. With --month, the page is about a month:
entries listed and delisted by day and category, releases with their signers, all operations with their causes. It is one
HTML file without scripts, links or parts that are loaded from elsewhere. A browser prints it or makes a PDF of it. Days and
months are in UTC. --lang says in which language it is: en (English) or it (Italian).

With --receipts, the page also shows how fast subscribers enforced each release. Receipts come from a FILE, or from an origin
by its folder or URL, as in blocklist receipts. --keys has the subscribers' keys, --token the token of an origin at a URL.

The file with the page of a confidential list is readable by its owner alone.`,
		Example: `  blocklist -C DIR report --month 2026-10 -o october.html --receipts ORIGIN
  blocklist -C DIR report --month 2026-10 --lang it -o ottobre.html
  blocklist -C DIR report https://host.example/path -o page.html`,
		Args: args(unknown.Args(0, 1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 0) == (f.month == "") {
				return usage("name an entry, or a month with --month 2026-10")
			}
			if _, err := words.Read(f.language); err != nil {
				return usage("--lang: %w", err)
			}
			return a.withLedger(func(l *publish.Ledger) error { return a.writeReport(cmd.Context(), l, args, f) })
		},
	}
	cmd.Flags().StringVarP(&f.out, "output", "o", "", "the `FILE` to write")
	cmd.Flags().StringVar(&f.month, "month", "", "the `MONTH`, such as 2026-10")
	cmd.Flags().StringVar(&f.language, "lang", "en", "the `LANGUAGE` of the page, en or it")
	cmd.Flags().StringVar(&f.from, "receipts", "", "where receipts are read: a `FILE`, the folder or the URL of an origin")
	f.receipts.sourceFlags(cmd)
	required(cmd, "output")
	return cmd
}

func (a *app) writeReport(ctx context.Context, l *publish.Ledger, args []string, f reportFlags) error {
	version, _, _ := strings.Cut(buildinfo.Text(), "\n")
	o := report.Options{Language: f.language, Program: "blocklist " + version, Deadline: f.receipts.deadline}
	if f.from != "" {
		var err error
		if o.Receipts, err = a.receiptsFor(ctx, l, f); err != nil {
			return err
		}
	}
	mode := os.FileMode(0o644)
	if l.Confidential() {
		mode = 0o600
	}
	write := func(w io.Writer) error { return report.Entry(ctx, w, l, args[0], o) }
	if f.month != "" {
		month, err := time.Parse("2006-01", f.month)
		if err != nil {
			return usage("--month %q: a month such as 2026-10 is needed", f.month)
		}
		write = func(w io.Writer) error { return report.Month(ctx, w, l, month, o) }
	}
	if err := writeFileMode(f.out, mode, write); err != nil {
		return err
	}
	a.result(fields{"file": f.out})
	a.printf("written: %s", f.out)
	return nil
}

// receiptsFor reads the receipts of the ledger's list.
func (a *app) receiptsFor(ctx context.Context, l *publish.Ledger, f reportFlags) (*report.Receipts, error) {
	f.receipts.list = l.List()
	ctx, cancel := context.WithTimeout(ctx, receiptsTimeout)
	defer cancel()
	keys, said, err := a.readStatements(ctx, f.from, f.receipts)
	if err != nil {
		return nil, fmt.Errorf("reading receipts of %s: %w", f.from, err)
	}
	return &report.Receipts{From: f.from, Subscribers: slices.Collect(maps.Keys(keys)), Statements: said}, nil
}
