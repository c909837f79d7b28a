package main

import (
	"io"
	"iter"
	"maps"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/blocklist/publish"
)

func (a *app) convert() *cobra.Command {
	var in input
	var out output
	cmd := &cobra.Command{
		Use:   "convert --to FORMAT FILE",
		Short: "Turn a list of any format into another format",
		Long: `Turn a list of any format into another format, exactly or not at all: what the target cannot say is an error,
unless --skip-unsupported leaves it out. The result goes to standard output, once it is complete.`,
		Example: `  blocklist convert --from auto --to rpz --zone rpz.example hosts.txt > rpz.zone`,
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			r, done, err := in.open(a, args[0])
			if err != nil {
				return err
			}
			defer done()
			err = out.write(a, r.Entries())
			a.sayReport(r.Report())
			return err
		},
	}
	in.flags(cmd, "from")
	out.flags(cmd)
	required(cmd, "to")
	return cmd
}

func (a *app) export() *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use:     "export --to FORMAT",
		Short:   "Write what is listed in any format",
		Example: `  blocklist -C DIR export --to unbound > unbound.conf`,
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withLedger(func(l *publish.Ledger) error { return out.write(a, l.Entries(cmd.Context())) })
		},
	}
	out.flags(cmd)
	required(cmd, "to")
	return cmd
}

// output is a list to be written in some format.
type output struct {
	format string
	o      formats.WriteOptions
}

func (out *output) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&out.format, "to", "", "the `format`: "+list(formats.Writable()))
	cmd.Flags().StringVar(&out.o.Zone, "zone", "", "the `name` of the RPZ zone")
	cmd.Flags().BoolVar(&out.o.SkipUnsupported, "skip-unsupported", false, "leave out what the format cannot say")
}

// write writes entries to standard output once all of them were written to a temporary file.
func (out *output) write(a *app, entries iter.Seq2[blocklist.Entry, error]) error {
	format, err := formats.Parse(out.format)
	if err != nil || !slices.Contains(formats.Writable(), format) {
		return usage("format %q cannot be written; there are %s", out.format, list(formats.Writable()))
	}
	f, err := os.CreateTemp("", "blocklist-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // a temporary file
	defer f.Close()           //nolint:errcheck // as above
	written, err := formats.Write(f, format, entries, out.o)
	if err != nil {
		return err
	}
	a.sayWritten(written)
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err = io.Copy(a.stdout, f)
	return err
}

// sayWritten tells what was left out.
func (a *app) sayWritten(w formats.Written) {
	a.say("written: %s", plural(uint64(w.Entries), "entry", "entries"))
	if w.Expired > 0 {
		a.say("left out: %s expired", thousands(uint64(w.Expired)))
	}
	for _, scope := range slices.Sorted(maps.Keys(w.Skipped)) {
		a.say("left out: %s of scope %s, which the format cannot say", thousands(uint64(w.Skipped[scope])), scope)
	}
}
