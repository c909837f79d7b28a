package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/argine-dns/argine/blocklist/publish"
)

// ruleFlags adds the flags that set rules.
func ruleFlags(cmd *cobra.Command, r *publish.Rules) {
	cmd.Flags().BoolVar(&r.NeedReference, "need-ref", false, "each order needs a reference")
	cmd.Flags().BoolVar(&r.NeedReason, "need-reason", false, "each operation that gives orders needs a reason")
	cmd.Flags().StringSliceVar(&r.Categories, "categories", nil, "the only categories, `WORDS` in lower case with commas between them")
	cmd.Flags().StringSliceVar(&r.TwoPersons, "two-persons", nil, "the categories whose proposals two persons decide on, `WORDS` with commas between them; none: no category; empty: all (default)")
	cmd.Flags().BoolVar(&r.Reporters, "reporters", false, "proposals may say who has reported")
	cmd.Flags().StringVar(&r.Reference, "ref-pattern", "", "a `PATTERN` for references: a regular expression (RE2) that must match the whole reference")
}

// isRule reports whether a flag is one of ruleFlags.
func isRule(name string) bool {
	switch name {
	case "need-ref", "need-reason", "categories", "ref-pattern", "two-persons", "reporters":
		return true
	}
	return false
}

func (a *app) rules() *cobra.Command {
	var given publish.Rules
	var c publish.Audit
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "rules",
		Short: "Show or change the rules that new orders and proposals keep to",
		Long: `Show or change the rules for new orders. Rules without a flag stay the same; an empty value ends a rule.

add refuses an order that breaks a rule; import leaves it out and counts it. Rules do not apply to existing orders.
Orders of a category that --two-persons names come from confirmed proposals only.`,
		Example: `  blocklist -C DIR rules --need-ref --categories csam,gambling --ref-pattern 'order [0-9]{4}/[0-9]+'
  blocklist -C DIR rules --need-ref=false --ref-pattern ''
  blocklist -C DIR rules`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withLedger(func(l *publish.Ledger) error {
				rules, changed, err := changeRules(cmd, l, given, c)
				switch {
				case err != nil:
					return err
				case changed && asJSON:
					a.result(rules)
					return nil
				case asJSON:
					return a.printJSON(rules)
				}
				_, err = fmt.Fprintln(a.stdout, visible(rulesText(rules)))
				return err
			})
		},
	}
	ruleFlags(cmd, &given)
	authorFlag(cmd, &c.Author)
	cmd.Flags().StringVar(&c.Reason, "reason", "", "the reason, a `TEXT` for the ledger")
	jsonFlag(cmd, &asJSON)
	return cmd
}

// changeRules sets those rules whose flags were given. It returns all rules, and whether any flag was given.
func changeRules(cmd *cobra.Command, l *publish.Ledger, given publish.Rules, c publish.Audit) (
	rules publish.Rules, changed bool, err error,
) {
	if rules, err = l.Rules(cmd.Context()); err != nil {
		return rules, false, err
	}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		changed = changed || isRule(f.Name)
		switch f.Name {
		case "need-ref":
			rules.NeedReference = given.NeedReference
		case "need-reason":
			rules.NeedReason = given.NeedReason
		case "categories":
			rules.Categories = given.Categories
		case "two-persons":
			rules.TwoPersons = given.TwoPersons
		case "reporters":
			rules.Reporters = given.Reporters
		case "ref-pattern":
			rules.Reference = given.Reference
		}
	})
	if !changed {
		return rules, false, nil
	}
	if err := l.SetRules(cmd.Context(), rules, c); err != nil {
		return rules, false, err
	}
	rules, err = l.Rules(cmd.Context())
	return rules, true, err
}

const noRules = "none"

// rulesText returns the rules as text.
func rulesText(r publish.Rules) string {
	var parts []string
	if r.NeedReference {
		parts = append(parts, "each order needs a reference")
	}
	if r.NeedReason {
		parts = append(parts, "each order needs a reason")
	}
	if len(r.Categories) > 0 {
		parts = append(parts, "categories: "+strings.Join(r.Categories, ", "))
	}
	if r.Reference != "" {
		parts = append(parts, "references match "+r.Reference)
	}
	if len(r.TwoPersons) > 0 {
		parts = append(parts, r.Persons())
	}
	if r.Reporters {
		parts = append(parts, "proposals may say who has reported")
	}
	return cmp.Or(strings.Join(parts, "; "), noRules)
}
