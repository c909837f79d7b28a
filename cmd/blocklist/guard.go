package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/blocklist/publish"
)

// guardFlags are the flags of guard. Settings without a flag stay unchanged.
type guardFlags struct {
	protected, popular, growth, shrink string
	cause                              publish.Audit
	asJSON                             bool
}

func (a *app) guard() *cobra.Command {
	var f guardFlags
	cmd := &cobra.Command{
		Use:   "guard",
		Short: "Show what the guards know and what they find in the list as it is now, or change what they know",
		Long: `Show what the guards know, and what they find in the list as it is now against the release that was pushed last; or
change what they know. The exit code is 1 if they would hold a release.

They hold an entry for the root, a top-level domain or a public suffix, for a protected or a popular name, for too many or
special-purpose addresses, or with very many other entries below it; and a list that grows or shrinks too much at once, or
ends. Look-alikes of protected and popular names are reported.

--protected and --popular name files that replace what was known before: an entry a line (example.com for that name and all
below it, =example.com, 192.0.2.0/24), and a name or rank,name a line, the most popular first. /dev/null empties them.`,
		Example: `  blocklist -C DIR guard
  blocklist -C DIR guard --protected protected.txt --popular top-100k.csv --max-growth 10% --reason "as decided on 3 May"`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withLedger(func(l *publish.Ledger) error { return a.runGuard(cmd, l, &f) })
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.protected, "protected", "", "a `FILE` of names and addresses that no entry may touch")
	flags.StringVar(&f.popular, "popular", "", "a `FILE` of names that no entry may cover, the most popular first")
	flags.StringVar(&f.growth, "max-growth", "", "the `PERCENT` of the list that may be added at once, such as 20%")
	flags.StringVar(&f.shrink, "max-shrink", "", "the `PERCENT` of the list that may be removed at once, such as 20%")
	authorFlag(cmd, &f.cause.Author)
	flags.StringVar(&f.cause.Reason, "reason", "", "the reason, a `TEXT` for the ledger")
	jsonFlag(cmd, &f.asJSON)
	return cmd
}

func (a *app) runGuard(cmd *cobra.Command, l *publish.Ledger, f *guardFlags) error {
	s, err := l.GuardSettings(cmd.Context())
	if err != nil {
		return err
	}
	before := s
	if err := f.change(&s); err != nil {
		return err
	}
	if s != before {
		if err := l.SetGuard(cmd.Context(), s, f.cause); err != nil {
			return err
		}
		a.printf("the guards know that from now on")
		return nil
	}
	return a.showGuard(cmd.Context(), l, s, f.asJSON)
}

// change sets the settings that have a flag.
func (f *guardFlags) change(s *publish.GuardSettings) error {
	for path, text := range map[*string]*string{&f.protected: &s.Protected, &f.popular: &s.Popular} {
		if *path == "" {
			continue
		}
		b, err := readAtMost(*path, guard.MaxBytes)
		if err != nil {
			return err
		}
		*text = string(b)
	}
	for text, share := range map[*string]*float64{&f.growth: &s.MaxGrowth, &f.shrink: &s.MaxShrink} {
		if *text == "" {
			continue
		}
		var err error
		if *share, err = guard.ParseShare(*text); err != nil {
			return usage("%w", err)
		}
	}
	return nil
}

// guardJSON is the JSON output of guard.
type guardJSON struct {
	Protected int           `json:"protected"`
	Popular   int           `json:"popular"`
	MaxGrowth float64       `json:"max_growth"`
	MaxShrink float64       `json:"max_shrink"`
	Report    *guard.Report `json:"report"`
}

func (a *app) showGuard(ctx context.Context, l *publish.Ledger, s publish.GuardSettings, asJSON bool) error {
	g, err := s.Guard()
	if err != nil {
		return err
	}
	r, err := l.Examine(ctx)
	if err != nil {
		return err
	}
	limits := g.Limits()
	if asJSON {
		err = a.printJSON(guardJSON{len(limits.Protected), len(limits.Popular), limits.MaxGrowth, limits.MaxShrink, r})
	} else {
		err = a.printGuard(limits, r)
	}
	if err == nil && r.Held > 0 {
		err = exitError{code: exitFailed}
	}
	return err
}

func (a *app) printGuard(limits guard.Limits, r *guard.Report) error {
	w := tabwriter.NewWriter(visibleWriter{a.stdout}, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "protected\t%s\n", plural(uint64(len(limits.Protected)), "name or prefix", "names and prefixes"))
	fmt.Fprintf(w, "popular\t%s\n", plural(uint64(len(limits.Popular)), "name", "names"))
	fmt.Fprintf(w, "growth\tup to %g %%\n", 100*limits.MaxGrowth)
	fmt.Fprintf(w, "shrink\tup to %g %%\n", 100*limits.MaxShrink)
	fmt.Fprintf(w, "on hold\t%s\n", thousands(r.Held))
	for _, f := range r.Findings {
		fmt.Fprintf(w, "\t%s\n", f.Line())
	}
	return w.Flush()
}
