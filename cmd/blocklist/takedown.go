package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/takedown"
	"github.com/argine-dns/argine/cmd/internal/unknown"
)

func (a *app) takedown() *cobra.Command {
	var c publish.Audit
	cmd := &cobra.Command{
		Use:   "takedown FILE",
		Short: "Record which listed pages their platforms have taken down",
		Long: `Record which listed pages their platforms have taken down, from the results of a check. - is standard input. blocklist
status counts the results by platform and age; blocklist export --format referral has them page by page.

FILE is CSV with a header and the columns url, removed (yes or no) and checked (a day, or a time in UTC), or JSON with the
same keys: an array, or an object a line. Other columns are ignored: a file of export works with these two columns added.
The whole file is recorded in the ledger, or nothing if a line can't be read. Pages that are not listed are left out, and
reported.`,
		Example: `  blocklist -C DIR takedown checked.csv --reason "weekly check"`,
		Args:    args(unknown.Args(1, 1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if c.Reason == "" {
				c.Reason = publish.CauseChecks.With(filepath.Base(args[0])).String()
			}
			return a.withLedger(func(l *publish.Ledger) error { return a.recordChecks(cmd, l, args[0], c) })
		},
	}
	causeFlags(cmd, &c)
	return cmd
}

func (a *app) recordChecks(cmd *cobra.Command, l *publish.Ledger, path string, c publish.Audit) error {
	source, done, err := a.openInput(path)
	if err != nil {
		return err
	}
	defer done()
	r, err := takedown.Record(cmd.Context(), l, takedown.ReadChecks(source), c)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	a.result(r)
	a.printf("%s recorded, %s as before", plural(r.Recorded, "check", "checks"), thousands(r.Unchanged))
	if r.NotListed > 0 {
		more := ""
		if r.NotListed > uint64(len(r.Unlisted)) {
			more = " ..."
		}
		a.printf("left out, as they are not on the list: %s: %s%s", plural(r.NotListed, "page", "pages"), strings.Join(r.Unlisted, " "), more)
	}
	return nil
}

// maxPlatformLines is the maximum number of platforms for which status prints a line.
const maxPlatformLines = 20

// printTakedowns prints the counts of each platform, those with the most open pages first, and their sum.
func (a *app) printTakedowns(all []takedown.PlatformStatus) error {
	if len(all) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(visibleWriter{a.stdout}, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "\nplatform\topen\tcame back\tremoved\tnever checked\topen under 1 day\topen under 1 week\topen longer\toldest open\n")
	var sum takedown.PlatformStatus
	for i, s := range all {
		sum = sum.Add(s)
		if i < maxPlatformLines {
			platformLine(w, s)
		}
	}
	if len(all) > 1 {
		sum.Platform = "together"
		platformLine(w, sum)
	}
	if n := len(all) - maxPlatformLines; n > 0 {
		fmt.Fprintf(w, "(%s with fewer pages are left out here; --json has them all)\n", plural(uint64(n), "platform", "platforms"))
	}
	return w.Flush()
}

func platformLine(w *tabwriter.Writer, s takedown.PlatformStatus) {
	oldest := "-"
	if !s.Oldest.IsZero() {
		oldest = s.Oldest.UTC().Format(time.RFC3339)
	}
	fmt.Fprint(w, s.Platform)
	for _, n := range []uint64{s.Open, s.Returned, s.Removed, s.Unchecked, s.UpDay, s.UpWeek, s.UpLonger} {
		fmt.Fprintf(w, "\t%s", thousands(n))
	}
	fmt.Fprintf(w, "\t%s\n", oldest)
}
