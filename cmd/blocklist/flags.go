package main

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
)

// Environment variables that set the defaults of flags.
const (
	dirVariable    = "BLOCKLIST_DIR"
	authorVariable = "BLOCKLIST_AUTHOR"
)

// required makes flags mandatory. If one is missing, the error counts as wrong usage.
func required(cmd *cobra.Command, names ...string) {
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var missing []string
		for _, name := range names {
			if !cmd.Flags().Changed(name) {
				missing = append(missing, "--"+name)
			}
		}
		switch len(missing) {
		case 0:
			return run(cmd, args)
		case 1:
			return usage("%s is missing", missing[0])
		default:
			return usage("%s are missing", strings.Join(missing, ", "))
		}
	}
}

// withoutLedger makes a command refuse the flags of the ledger, and hides them. Such a command needs no ledger, or
// takes its folder as an argument.
func withoutLedger(cmd *cobra.Command) *cobra.Command {
	for name, short := range map[string]string{"directory": "C", "wait": "", "clock-is-right": ""} {
		flag := cmd.PersistentFlags().VarPF(refusedFlag{}, name, short, "")
		flag.Hidden = true
	}
	return cmd
}

// refusedFlag is a flag that a command does not take.
type refusedFlag struct{}

// Set implements pflag.Value.
func (refusedFlag) Set(string) error {
	return errors.New("this command does not take it; name the folder as an argument where one is needed")
}

// String implements pflag.Value.
func (refusedFlag) String() string { return "" }

// Type implements pflag.Value.
func (refusedFlag) Type() string { return "" }

// authorFlag adds --author. Its default is from the environment, or else the user name of the current account.
func authorFlag(cmd *cobra.Command, author *string) {
	name := os.Getenv(authorVariable)
	if u, err := user.Current(); name == "" && err == nil {
		name = u.Username
	}
	cmd.Flags().StringVar(author, "author", name, "the `NAME` of the person who makes the change, for the ledger")
}

// causeFlags adds the flags for author, reason and reference of a change.
func causeFlags(cmd *cobra.Command, c *publish.Audit) {
	authorFlag(cmd, &c.Author)
	cmd.Flags().StringVar(&c.Reason, "reason", "", "the reason, a `TEXT` for the ledger")
	cmd.Flags().StringVar(&c.Reference, "ref", "", "the reference of the order or decision, a `TEXT` for the ledger and the entries")
}

// attributeFlags has attributes for entries that do not have them in their own line.
type attributeFlags struct {
	category        string
	expires, review timeFlag
}

func (f *attributeFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.category, "category", "", "the category, a `WORD`, such as csam or gambling")
	cmd.Flags().Var(&f.expires, "expires", "the `DATE` or time at which the order expires, such as 2027-05-01, or 30d for 30 days from now")
	cmd.Flags().Var(&f.review, "review", "the `DATE` at which a person reviews the order, in the same form")
}

// fill returns the entry e. Attributes that e lacks have the values of the flags.
func (f *attributeFlags) fill(e blocklist.Entry, reference string) blocklist.Entry {
	e.Attributes = e.Or(blocklist.Attributes{
		Category: f.category, Reference: reference, Expires: f.expires.Time, Review: f.review.Time,
	})
	return e
}

// check fails if these attributes are not valid in the line of an entry. One check is enough for all entries.
func (f *attributeFlags) check(reference string) error {
	var example blocklist.Entry
	example, err := blocklist.ParseEntry("example.com")
	if err == nil {
		_, err = blocklist.ParseEntry(f.fill(example, reference).String())
	}
	if err != nil {
		return usage("category %q, ref %q: %w", f.category, reference, err)
	}
	return nil
}

// timeFlag is a flag for a point in time: a day, a time, or a number of days from now.
type timeFlag struct{ time.Time }

// Set implements pflag.Value.
func (f *timeFlag) Set(text string) (err error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			f.Time = time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, int(n))
			return nil
		}
	}
	if f.Time, err = blocklist.ParseTime(text); err != nil {
		return fmt.Errorf("a day (2027-05-01), a time (2027-05-01T08:00:00Z) or a number of days from now (30d) is needed")
	}
	return nil
}

// String implements pflag.Value.
func (f *timeFlag) String() string {
	if f.IsZero() {
		return ""
	}
	return f.Format(time.RFC3339)
}

// Type implements pflag.Value.
func (f *timeFlag) Type() string { return "time" }

const confidentialUsage = "encrypt the list to its subscribers; there is no way back"

// readKeyFile reads a public key from a file.
func readKeyFile(path string) (string, error) {
	text, err := readAtMost(path, 4<<10)
	return string(text), err
}

// readKeyFiles reads public keys from files.
func readKeyFiles(paths []string) (keys []string, err error) {
	for _, path := range paths {
		text, err := readKeyFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading a public key: %w", err)
		}
		keys = append(keys, text)
	}
	return keys, nil
}

// urgentFlags adds the flags for a root's limits on urgent orders.
func urgentFlags(cmd *cobra.Command, u *publish.UrgentLimits) {
	cmd.Flags().IntVar(&u.Entries, "urgent-entries", 0, "up to `N` targets that one officer alone may list on top of a release (default: none)")
	cmd.Flags().IntVar(&u.Hours, "urgent-hours", 0, "an urgent order lasts at most `N` hours, up to 24 (default: 24)")
}

// completeUrgent sets the default limit of 24 hours if urgent orders are allowed and --urgent-hours is not given.
func completeUrgent(cmd *cobra.Command, u *publish.UrgentLimits) error {
	switch {
	case cmd.Flags().Changed("urgent-hours") && !cmd.Flags().Changed("urgent-entries"):
		return usage("--urgent-hours goes with --urgent-entries")
	case u.Entries > 0 && !cmd.Flags().Changed("urgent-hours"):
		u.Hours = 24
	}
	return nil
}

// overrideFlag adds --override, the reason to override the guards.
func overrideFlag(cmd *cobra.Command, why *string) {
	cmd.Flags().StringVar(why, "override", "", "why the guards are overridden, a `TEXT` that is recorded")
}
