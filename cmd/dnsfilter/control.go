package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/cmd/internal/unknown"
	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/service"
)

// controlFlags has the flags of commands to the running server: which server, and the output format.
type controlFlags struct {
	settings string
	asJSON   bool
	stderr   func() io.Writer
}

func (f *controlFlags) add(cmd *cobra.Command) {
	f.stderr = cmd.ErrOrStderr
	addSettings(cmd, &f.settings, "settings `file` of the running server; its state folder is what counts")
}

// state returns the state folder of the running server, from the settings file. If the file has mistakes, it only
// prints a warning, because the user may be looking for them with this command.
func (f *controlFlags) state() (string, error) {
	if f.settings == "" {
		return config.Default().State, nil
	}
	state, err := config.ReadState(f.settings)
	if _, ok := errors.AsType[config.Errors](err); ok {
		fmt.Fprintf(f.stderr(), "%v\ndnsfilter: warning: the settings on disk have mistakes; a server that runs goes on with those before\n", err)
		return state, nil
	}
	return state, err
}

// ask calls the function do with a connection to the running server, and returns its error.
func (f *controlFlags) ask(do func(*service.Control) error) error {
	state, err := f.state()
	if err != nil {
		return err
	}
	err = do(service.NewControl(state))
	if errors.Is(err, service.ErrNotRunning) {
		return hinted{err, "dnsfilter serve must be running with the same settings, under the same user; its log line \"serving\" names the state folder"}
	}
	return err
}

// show prints the server's status: as JSON if --json is given, and otherwise with the function text.
func (f *controlFlags) show(cmd *cobra.Command, text func(io.Writer, service.Status) error) error {
	return f.ask(func(c *service.Control) error {
		s, err := c.Status(cmd.Context())
		if err != nil {
			return err
		}
		if f.asJSON {
			return json.NewEncoder(cmd.OutOrStdout()).Encode(s)
		}
		return text(cmd.OutOrStdout(), s)
	})
}

func statusCommand() *cobra.Command {
	var f controlFlags
	cmd := &cobra.Command{
		Use:     "status [-c dnsfilter.yaml]",
		Short:   "Show how the running server stands: lists, serials, freshness, holds, counters",
		Example: "  dnsfilter status -c /etc/dnsfilter/dnsfilter.yaml",
		Args:    unknown.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return f.show(cmd, printStatus) },
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
	return cmd
}

func holdsCommand() *cobra.Command {
	var f controlFlags
	cmd := &cobra.Command{
		Use:   "holds [-c dnsfilter.yaml]",
		Short: "Show which releases and files the guards have stopped, and why",
		Long: `Shows which releases, and which files of local and allow lists, the guards of the running server have stopped, and why, entry
by entry. The list before stays in force until what is on hold is accepted, or something newer passes. What is accepted or
rejected is exactly what was found: a newer release or a changed file that is stopped has another ID.`,
		Example: "  dnsfilter holds -c /etc/dnsfilter/dnsfilter.yaml",
		Args:    unknown.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.show(cmd, func(w io.Writer, s service.Status) error { return printHolds(w, s, f.settings) })
		},
	}
	f.add(cmd)
	return cmd
}

func acceptCommand() *cobra.Command {
	return decisionCommand("accept", "Put a release or a file in force that is on hold", (*service.Control).Accept)
}

func rejectCommand() *cobra.Command {
	return decisionCommand("reject", "Say that a release or a file on hold is not wanted", (*service.Control).Reject)
}

func decisionCommand(word, short string,
	do func(*service.Control, context.Context, string, string) error,
) *cobra.Command {
	var f controlFlags
	cmd := &cobra.Command{
		Use:     word + " [-c dnsfilter.yaml] LIST ID",
		Short:   short + "; dnsfilter holds shows its ID",
		Example: "  dnsfilter " + word + " -c /etc/dnsfilter/dnsfilter.yaml it.example/csam 5a0e84c2b1f34d96a7708c1e55d20fb3",
		Args:    unknown.Args(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.ask(func(c *service.Control) error {
				if err := do(c, cmd.Context(), args[0], args[1]); err != nil {
					return err
				}
				_, err := fmt.Fprintf(cmd.ErrOrStderr(), "%s: %sed\n", args[0], word)
				return err
			})
		},
	}
	f.add(cmd)
	return cmd
}

func printStatus(w io.Writer, s service.Status) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "version\t%s\n", s.Version)
	fmt.Fprintf(t, "running since\t%s\n", s.Started.Format(time.RFC3339))
	if s.Settings != "" {
		fmt.Fprintf(t, "settings\tnot those on disk: %s\n", s.Settings)
	}
	if s.Guards != "" {
		fmt.Fprintf(t, "guards\t%s\n", s.Guards)
	}
	fmt.Fprintf(t, "queries\t%d, %d from the cache, %d without an upstream, %d dropped\n", s.Queries, s.Hits, s.Failures, s.Dropped)
	fmt.Fprintf(t, "clients\t%d connections, %d queries over the rate limit, %d alarms\n", s.Conns, s.Limited, s.Alarms)
	for _, transport := range slices.Sorted(maps.Keys(s.Answers)) {
		fmt.Fprintf(t, "answers, %s", transport)
		for _, rcode := range slices.Sorted(maps.Keys(s.Answers[transport])) {
			fmt.Fprintf(t, "\t%s: %d", rcode, s.Answers[transport][rcode])
		}
		fmt.Fprintln(t)
	}
	for _, u := range s.Upstreams {
		fmt.Fprintf(t, "%s\t%d asked, %d answered, %d late, answers in %s\n", u.Name(), u.Asked, u.Answered, u.Late, u.Delay.Round(10*time.Microsecond))
		if !u.Up {
			fmt.Fprintf(t, "\tdown: %s\n", u.Reason)
		}
	}
	others := maps.Clone(s.Actions)
	for _, l := range s.Lists {
		printList(t, l)
		printActions(t, s.Actions[l.List])
		delete(others, l.List)
		printCondition(t, l)
	}
	printZones(t, s.Zones)
	for _, name := range slices.Sorted(maps.Keys(others)) { // quorums and allow lists
		fmt.Fprintln(t, name)
		printActions(t, others[name])
	}
	printStopPage(t, s.StopPage)
	return t.Flush()
}

// printList prints the state of a list: its action, serial and number of entries.
func printList(t io.Writer, l service.ListStatus) {
	if l.RPZ != "" {
		fmt.Fprintf(t, "%s\t%s, policy zone %s, serial %d, %d rules%s%s\n", l.List, l.Action, l.RPZ, l.ZoneSerial, l.Entries, triggersText(l.Triggers), signedText(l))
		return
	}
	fmt.Fprintf(t, "%s\t%s, %d entries%s\n", l.List, l.Action, l.Entries, signedText(l))
}

// printCondition prints what an operator must know about a list: its last error, the expiry of its root, its receipts,
// its file, a proven equivocation, and what is on hold.
func printCondition(t io.Writer, l service.ListStatus) {
	if l.Error != "" {
		fmt.Fprintf(t, "\tlast error: %s\n", l.Error)
	}
	if !l.Root.IsZero() {
		fmt.Fprintf(t, "\troot: valid until %s\n", l.Root.Format(time.RFC3339))
	}
	if l.Receipts != nil {
		fmt.Fprintf(t, "\treceipt: %s\n", receiptText(l.Receipts))
	}
	printFile(t, l)
	if l.Equivocations > 0 {
		fmt.Fprintf(t, "\tequivocation: officers have signed two states of one serial; the log names the folder with the proof, ask the agency\n")
	}
	if l.Hold != nil {
		fmt.Fprintf(t, "\ton hold: %s; dnsfilter holds shows why\n", heldText(l))
	}
}

// printStopPage prints the number of connections to the stop page, and how often the page was shown, by list and
// language.
func printStopPage(w io.Writer, page *service.StopPageStatus) {
	if page == nil {
		return
	}
	fmt.Fprintf(w, "stop page\t%d connections, %d refused over TLS\n", page.Open, page.Refused)
	for _, list := range slices.Sorted(maps.Keys(page.Requests)) {
		what := list
		if what == "" {
			what = "not blocked"
		}
		fmt.Fprintf(w, "\t%s:", what)
		for _, language := range slices.Sorted(maps.Keys(page.Requests[list])) {
			fmt.Fprintf(w, " %d in %s", page.Requests[list][language], language)
		}
		fmt.Fprintln(w)
	}
}

// printFile prints the file, the last fetch and the skipped lines of a local list. For any list, it prints the number
// of url entries that are not enforced.
func printFile(w io.Writer, l service.ListStatus) {
	if l.File != "" {
		fmt.Fprintf(w, "\tfile: %s\n", l.File)
	}
	if l.Fetch != nil {
		fmt.Fprintf(w, "\tfetched: %s\n", fetchText(l.Fetch))
		if l.Fetch.Error != "" {
			fmt.Fprintf(w, "\tfetching fails, and is tried again at %s: %s\n", l.Fetch.Next.Format(time.RFC3339), l.Fetch.Error)
		}
	}
	for _, s := range l.Skipped {
		fmt.Fprintf(w, "\t%s\n", skippedText(s))
	}
	if l.URLs > 0 {
		fmt.Fprintf(w, "\t%s\n", urlsText(l.URLs))
	}
}

// fetchText returns a phrase that says from where and when a list was fetched.
func fetchText(f *service.FetchStatus) string {
	text := "never"
	if !f.Checked.IsZero() {
		text = fmt.Sprintf("from %s, checked %s, changed %s", f.From, f.Checked.Format(time.RFC3339), f.Changed.Format(time.RFC3339))
	}
	if f.Serial != 0 {
		text += fmt.Sprintf(", zone serial %d", f.Serial)
	}
	if f.Foreign > 0 {
		text += fmt.Sprintf(", %d records outside the zone left out", f.Foreign)
	}
	return text
}

// triggersText returns the number of rules for each trigger of a policy zone, as text; empty if there are none.
func triggersText(triggers map[string]int) string {
	var parts []string
	for _, trigger := range slices.Sorted(maps.Keys(triggers)) {
		parts = append(parts, fmt.Sprintf("%s: %d", trigger, triggers[trigger]))
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

func skippedText(s service.SkippedLines) string {
	text := fmt.Sprintf("skipped: %s: %d, first in lines %s", s.Reason, s.Count, strings.Trim(fmt.Sprint(s.Lines), "[]"))
	if s.Hint != "" {
		text += " (" + s.Hint + ")"
	}
	return text
}

func urlsText(n uint64) string {
	return fmt.Sprintf("%d url entries are NOT enforced: the DNS knows no paths; divert leads their hosts to a proxy", n)
}

// heldText returns a phrase for what is on hold: the serial of a signed list, or the file of a local list. If the
// present file has an error, the hold is on the file as it was before.
func heldText(l service.ListStatus) string {
	if l.Signed {
		return fmt.Sprintf("serial %d", l.Hold.Serial)
	}
	if l.Error != "" {
		return "the file as it was before the error"
	}
	return "the file as it is now"
}

func printActions(w io.Writer, actions map[string]uint64) {
	for _, action := range slices.Sorted(maps.Keys(actions)) {
		fmt.Fprintf(w, "\t%s: %d\n", action, actions[action])
	}
}

// receiptText returns the last confirmed serial, the number of receipts not yet delivered, and the last error.
func receiptText(r *service.ReceiptStatus) string {
	text := "none yet"
	if r.Serial > 0 {
		text = fmt.Sprintf("serial %d, enforced since %s", r.Serial, r.Enforced.Format(time.RFC3339))
	}
	if r.Waiting > 0 {
		text += fmt.Sprintf(", %d not delivered", r.Waiting)
	}
	if r.Error != "" {
		text += ": " + r.Error
	}
	return text
}

// signedText returns the end of the line about a list: the serial of a signed list, and whether the list is stale, not
// followed, or not in force.
func signedText(l service.ListStatus) string {
	switch {
	case !l.Signed && l.Hold != nil && l.Entries == 0:
		return ", NOT ENFORCED"
	case !l.Signed && l.Entries == 0 && l.Fetch != nil && l.Fetch.Checked.IsZero():
		return ", nothing in force yet"
	case !l.Signed && l.Stale:
		return ", stale"
	case !l.Signed:
		return ""
	case !l.Follows:
		return fmt.Sprintf(", serial %d, not followed", l.Serial)
	case l.Serial == 0:
		return ", nothing in force yet"
	case l.Stale:
		return fmt.Sprintf(", serial %d, stale since %s", l.Serial, l.Expires.Format(time.RFC3339))
	}
	return fmt.Sprintf(", serial %d, fresh until %s", l.Serial, l.Expires.Format(time.RFC3339))
}

func printHolds(w io.Writer, s service.Status, settings string) error {
	with := ""
	if settings != "" {
		with = "-c " + settings + " "
	}
	nothing := true
	for _, l := range s.Lists {
		h := l.Hold
		if h == nil {
			continue
		}
		nothing = false
		if l.Signed {
			fmt.Fprintf(w, "%s serial %d of %s, %d entries (in force: serial %d, %d entries)", l.List, h.Serial,
				h.Created.Format(time.RFC3339), h.Entries, l.Serial, l.Entries)
		} else {
			fmt.Fprintf(w, "%s, file %s, %d entries (in force: %d entries)", l.List, l.File, h.Entries, l.Entries)
		}
		fmt.Fprintf(w, ", on hold since %s\n", h.Since.Format(time.RFC3339))
		if h.Override != "" {
			fmt.Fprintf(w, "  the agency's guards held it, too; it says: %s\n", h.Override)
		}
		for _, f := range h.Report.Findings {
			fmt.Fprintf(w, "  %s\n", f.Line())
		}
		if more := h.Report.Held + h.Report.Reported - uint64(len(h.Report.Findings)); more > 0 {
			fmt.Fprintf(w, "  and %d more\n", more)
		}
		if h.Rejected {
			fmt.Fprintf(w, "  rejected; nothing is to be done\n")
		}
		fmt.Fprintf(w, "  dnsfilter accept %s%s %s\n  dnsfilter reject %s%s %s\n", with, l.List, h.ID, with, l.List, h.ID)
	}
	if nothing {
		fmt.Fprintln(w, "nothing is on hold")
	}
	return nil
}
