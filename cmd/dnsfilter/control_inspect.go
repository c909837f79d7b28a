package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/cmd/internal/unknown"
	"github.com/argine-dns/argine/dnsfilter/service"
)

func cacheCommand() *cobra.Command {
	var f controlFlags
	cmd := &cobra.Command{
		Use:   "cache [-c dnsfilter.yaml] NAME",
		Short: "Show what the cache of the running server has about a name",
		Long: `Shows the cached answers about a name, of all types, with their records, how long they are fresh or since when they have expired,
and whether a list withholds them because of what they lead to. An expired answer is used only while the upstream fails. The
decision on the name itself comes before the cache: dnsfilter lookup shows it.`,
		Example: "  dnsfilter cache -c /etc/dnsfilter/dnsfilter.yaml www.example.org",
		Args:    unknown.Args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.ask(func(c *service.Control) error {
				all, err := c.Cached(cmd.Context(), args[0])
				switch {
				case err != nil:
					return err
				case f.asJSON:
					return json.NewEncoder(cmd.OutOrStdout()).Encode(all)
				}
				return printCached(cmd.OutOrStdout(), all)
			})
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
	return cmd
}

func printCached(w io.Writer, all []service.CachedAnswer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(all) == 0 {
		fmt.Fprintln(t, "nothing is cached")
	}
	for i := range all {
		fmt.Fprintf(t, "%s\t%s, %s\n", cachedKey(&all[i]), all[i].Rcode, cachedState(&all[i]))
		if a := &all[i]; a.Action != "" {
			fmt.Fprintf(t, "\twithheld: %s (list %s, entry %s)\n", a.Action, a.List, a.Entry)
		}
		for _, record := range all[i].Records {
			fmt.Fprintf(t, "\t%s\n", strings.ReplaceAll(record, "\t", " "))
		}
	}
	return t.Flush()
}

// cachedKey returns the type of a cached answer, with the bits DO and CD of the queries that it answers.
func cachedKey(a *service.CachedAnswer) string {
	key := a.Type
	if a.DO {
		key += " DO"
	}
	if a.CD {
		key += " CD"
	}
	return key
}

func cachedState(a *service.CachedAnswer) string {
	left := time.Duration(a.Seconds) * time.Second
	switch {
	case a.Failing:
		return fmt.Sprintf("expired %s ago, and could not be refreshed", -left)
	case a.Stale:
		return fmt.Sprintf("expired %s ago", -left)
	}
	return fmt.Sprintf("fresh for %s", left)
}

func statsCommand() *cobra.Command {
	var f controlFlags
	cmd := &cobra.Command{
		Use:   "stats [-c dnsfilter.yaml] [TEXT]",
		Short: "Show all counters of the running server",
		Long: `Shows all metrics of the running server as a table, also where the settings have no address for metrics, or those whose name has
the text. Of a histogram it shows how many were counted, the mean, and within which time half of them and 99 percent were done.
What each metric means is in the handbook, and in the help texts of --json.`,
		Example: `  dnsfilter stats -c /etc/dnsfilter/dnsfilter.yaml
  dnsfilter stats -c /etc/dnsfilter/dnsfilter.yaml upstream`,
		Args: unknown.Args(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.ask(func(c *service.Control) error {
				all, err := c.Stats(cmd.Context())
				if err != nil {
					return err
				}
				shown := all[:0]
				for _, s := range all {
					if len(args) == 0 || strings.Contains(s.Name, args[0]) {
						shown = append(shown, s)
					}
				}
				if f.asJSON {
					return json.NewEncoder(cmd.OutOrStdout()).Encode(shown)
				}
				return printStats(cmd.OutOrStdout(), shown)
			})
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
	return cmd
}

func printStats(w io.Writer, all []service.Stat) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range all {
		if s.Count == 0 {
			fmt.Fprintf(t, "%s\t%.10g\n", s.Name, s.Value)
			continue
		}
		fmt.Fprintf(t, "%s\t%d, mean %s, half in %s, 99%% in %s\n", s.Name, s.Count, secondsText(s.Value), boundText(s.Median), boundText(s.P99))
	}
	return t.Flush()
}

func secondsText(s float64) time.Duration {
	return time.Duration(s * float64(time.Second)).Round(time.Microsecond)
}

// boundText returns the upper bound of a bucket of a histogram as text. The argument is in seconds; 0 stands for the
// last bucket, which has no bound.
func boundText(bound float64) string {
	if bound == 0 {
		return "more than all bounds"
	}
	return secondsText(bound).String()
}

func printPlan(w io.Writer, p *service.Plan) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range []struct {
		what  string
		names []string
	}{
		{"new lists", p.Added},
		{"changed lists", p.Changed},
		{"removed lists", p.Removed},
		{"changed settings", p.Keys},
		{"needs a restart", p.Restart},
		{"taken away", p.Lost},
	} {
		if len(row.names) > 0 {
			fmt.Fprintf(t, "%s\t%s\n", row.what, strings.Join(row.names, ", "))
		}
	}
	for _, f := range p.Files {
		fmt.Fprintf(t, "changed file of %s\t%s, %d entries (in force: %d)\n", f.List, f.File, f.After, f.Before)
		if f.Held == nil {
			continue
		}
		fmt.Fprintf(t, "\tthe guards would hold it:\n")
		for _, found := range f.Held.Findings {
			fmt.Fprintf(t, "\t%s\n", found.Line())
		}
	}
	if p.IsEmpty() {
		fmt.Fprintln(t, "nothing would change")
	}
	return t.Flush()
}
