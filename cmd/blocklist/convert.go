package main

import (
	"io"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/cmd/internal/unknown"
)

func (a *app) convert() *cobra.Command {
	var in input
	var out output
	cmd := &cobra.Command{
		Use:   "convert --to FORMAT FILE",
		Short: "Turn a list of any format into another format",
		Long: `Turn a list of any format into another format, exactly or not at all. An entry that the target format can't express is an
error, unless --skip-unsupported leaves it out. The result goes to standard output once it is complete.

Formats of other programs have no expiry. Expired entries are left out. Entries that will expire are written, and a message
says when to write the list again; --skip-expiring leaves these entries out. Duplicates are written once.

` + tableHelp(),
		Example: `  blocklist convert --from auto --to rpz --zone rpz.example hosts.txt > rpz.zone`,
		Args:    args(unknown.Args(1, 1)),
		RunE: func(_ *cobra.Command, args []string) error {
			r, done, err := in.open(a, args[0])
			if err != nil {
				return err
			}
			defer done()
			err = out.write(a, r.Entries())
			a.printReport(r.Report())
			return err
		},
	}
	in.flags(cmd, "from")
	out.flags(cmd, "to", "", formats.Writable())
	required(cmd, "to")
	return cmd
}

func (a *app) export() *cobra.Command {
	var out output
	var pages referralOutput
	cmd := &cobra.Command{
		Use:   "export --format FORMAT",
		Short: "Write what is listed in any format, also for the platforms that can take pages down",
		Long: `Write what is listed in any format, or for the platforms that can take pages down.

csv, json and argine have all attributes; json is one entry a line, as in blocklist entries --json. The formats of other
programs have no expiry and no status: entries that will expire are written and counted, and entries with status=monitor are
left out.

The format referral is for platforms. It has every listed URL, also with status=monitor: the reference, the reason of the
operation that listed it, the time of that operation, and whether the page is still up. The last comes from the checks that
blocklist takedown has recorded. The format is CSV or, with --json, one JSON object a line. With --output it is a CSV file
and a JSON file for each platform.

A platform is the registrable domain of the host (t.me, user.github.io), unless the file of --platforms names it. Each line
of this file has a domain and the name of its platform, which counts for the domain and all names below it.`,
		Example: `  blocklist -C DIR export --format unbound > unbound.conf
  blocklist -C DIR export --format referral -o referrals --platforms platforms.txt`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := pages.check(out.format); err != nil {
				return err
			}
			return a.withLedger(func(l *publish.Ledger) error {
				switch out.format {
				case referral:
					return pages.write(cmd, a, l)
				case jsonFormat:
					return printAll(a, true, l.Entries(cmd.Context()), toJSON, nil)
				}
				return out.write(a, l.Entries(cmd.Context()))
			})
		},
	}
	out.flags(cmd, "format", "to", append(formats.Writable(), jsonFormat, referral))
	pages.flags(cmd)
	required(cmd, "format")
	return cmd
}

// jsonFormat is the name of the export format with one JSON entry per line.
const jsonFormat = "json"

// output has the options for writing a list in a format.
type output struct {
	format   string
	writable []formats.Format
	o        formats.WriteOptions
}

// flags adds the flags to a command. The flag for the format has the given name; alias is a second name for it.
func (out *output) flags(cmd *cobra.Command, name, alias string, writable []formats.Format) {
	out.writable = writable
	cmd.Flags().SetNormalizeFunc(func(_ *pflag.FlagSet, given string) pflag.NormalizedName {
		if given == alias {
			given = name
		}
		return pflag.NormalizedName(given)
	})
	cmd.Flags().StringVar(&out.format, name, "", "the `FORMAT` to write: "+list(writable))
	cmd.Flags().StringVar(&out.o.Zone, "zone", "", "the `NAME` of the RPZ zone")
	cmd.Flags().StringVar(&out.o.Set, "set", "", "the `NAME` of the sets of nftables and ipset, and of the protocols of BIRD, before 4 and 6 (default blocked)")
	cmd.Flags().BoolVar(&out.o.SkipUnsupported, "skip-unsupported", false, "leave out entries that the format can't express")
	cmd.Flags().BoolVar(&out.o.SkipExpiring, "skip-expiring", false, "leave out entries that will expire, if the format has no expiry")
}

// write writes entries to standard output, in the format of the flags.
func (out *output) write(a *app, entries iter.Seq2[blocklist.Entry, error]) error {
	format := formats.Format(out.format)
	if !slices.Contains(formats.Writable(), format) {
		return usage("format %q cannot be written; those that can are %s", out.format, list(out.writable))
	}
	return a.writeOut(func(w io.Writer) error {
		written, err := formats.Write(w, format, entries, out.o)
		if err == nil {
			a.printWritten(written, out.o.SkipExpiring)
		}
		return err
	})
}

// printWritten prints the number of written entries, and which entries or expiries were left out.
func (a *app) printWritten(w formats.Written, skipExpiring bool) {
	a.printf("written: %s", plural(uint64(w.Entries), "entry", "entries"))
	if w.Covered > 0 {
		a.printf("of these, without records of their own: %s below listed domains or networks, which cover them", thousands(uint64(w.Covered)))
	}
	if w.Duplicates > 0 {
		a.printf("left out: %s that said nothing new", thousands(uint64(w.Duplicates)))
	}
	if w.Expired > 0 {
		a.printf("left out: %s expired", thousands(uint64(w.Expired)))
	}
	if w.Expiring > 0 && skipExpiring {
		a.printf("left out: %s that will expire, which the format cannot say", thousands(uint64(w.Expiring)))
	} else if w.Expiring > 0 {
		a.printf("without its expiry, which the format cannot say: %s; write the list again by %s, or leave them out with --skip-expiring",
			plural(uint64(w.Expiring), "entry", "entries"), w.Until.Format(time.RFC3339))
	}
	for _, scope := range slices.Sorted(maps.Keys(w.Skipped)) {
		a.printf("left out: %s of scope %s, which the format cannot say", thousands(uint64(w.Skipped[scope])), scope)
	}
}
