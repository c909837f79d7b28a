package main

import (
	"context"
	"math"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/blocklist/publish"
)

// guardFlags are the flags of guard. A setting stays unchanged if its flag is not given.
type guardFlags struct {
	builtIn, protected, popular, growth, shrink string

	cause  publish.Audit
	asJSON bool
}

func (a *app) guard() *cobra.Command {
	var f guardFlags
	cmd := &cobra.Command{
		Use:   "guard",
		Short: "Show what protects the list and what the guards find in it now, or change their settings",
		Long: `Show what protects the list, and what the guards find in the changes since the release that was pushed last; or change the
settings of the guards. The exit code is 4 if the guards would hold a release.

The guards hold an entry for the DNS root, a top-level domain or a public suffix; for a protected or a popular name; for too
many or special-purpose addresses; or with more than 100 other entries below it. They hold a release if the list grows or
shrinks too much at once, or has no entries left. Look-alikes of protected and popular names are only reported.

Some hundred protected names are built in: platforms, content delivery, certificates, time, updates, the DNS itself. An entry
for such a name, or for a name above it, is held. An entry below such a name passes, unless all names below it are protected.
An entry for a page (https://t.me/channel) always passes. --built-in off leaves the built-in names out.

--protected and --popular each name a file, which replaces the previous one. The file of --protected has one entry a line:
example.com for that name and all names below it, =example.com for that name alone, or 192.0.2.0/24. The file of --popular
has name or rank,name on each line, the most popular name first. /dev/null empties the list.`,
		Example: `  blocklist -C DIR guard
  blocklist -C DIR guard --protected protected.txt --popular top-100k.csv --max-growth 10% --reason "as decided on 3 May"`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withLedger(func(l *publish.Ledger) error { return a.runGuard(cmd, l, &f) })
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.builtIn, "built-in", "", "whether the built-in names are protected, a `WORD`: on or off (default: on)")
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
		a.result(s)
		a.printf("the settings of the guards are changed")
		return nil
	}
	return a.showGuard(cmd.Context(), l, s, f.asJSON)
}

// change sets the settings whose flags were given.
func (f *guardFlags) change(s *publish.GuardSettings) error {
	switch f.builtIn {
	case "":
	case "on", "off":
		s.NoBuiltIn = f.builtIn == "off"
	default:
		return usage("--built-in %q: it is on or off", f.builtIn)
	}
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

// guardJSON is the JSON output of the command guard.
type guardJSON struct {
	BuiltIn   bool          `json:"built_in"`
	Protected int           `json:"protected"` // number of protected names, without the built-in ones
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
		err = a.printJSON(guardJSON{
			!limits.NoBuiltIn, len(limits.Protected), len(limits.Popular), limits.MaxGrowth, limits.MaxShrink, r,
		})
	} else {
		a.printGuard(g, r)
	}
	if err == nil && r.Held > 0 {
		err = exitError{code: exitHeld}
	}
	return err
}

func (a *app) printGuard(g *guard.Guard, r *guard.Report) {
	lines, limits := &app{stderr: a.stdout}, g.Limits() // what is said is data here
	lines.printf("%s", g)
	lines.printf("growth: up to %g %%; shrink: up to %g %%", 100*limits.MaxGrowth, 100*limits.MaxShrink)
	lines.printf("held: %s; noted: %s", thousands(r.Held), thousands(r.Reported))
	lines.printFindings(*r, math.MaxInt)
}
