package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/cmd/internal/unknown"
	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/service"
)

func lookupCommand() *cobra.Command {
	var path, client string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "lookup -c dnsfilter.yaml [--client ADDR] NAME|ADDRESS|URL",
		Short: "Tell what happens to a name, an address or a URL, and why",
		Long: `Tells what a server with these settings does with a name that a client asks for, with an answer that leads to an address, or
with the host of a URL, and what decides. Of a URL it also tells which lists have it: the DNS knows no paths, so that a URL is
enforced by a proxy or not at all.

Without a running server, it also tells which state of each list from elsewhere is on disk, and how old it is.

Exit codes: 0 what happens was told; 1 failed; 2 could not tell, since nothing is in force of a list that may decide, or wrong usage.`,
		Example: `  dnsfilter lookup -c /etc/dnsfilter/dnsfilter.yaml www.example.com
  dnsfilter lookup -c /etc/dnsfilter/dnsfilter.yaml 192.0.2.200
  dnsfilter lookup -c /etc/dnsfilter/dnsfilter.yaml --client 192.0.2.7 www.example.com`,
		Args: unknown.Args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			log, err := newLog(cmd.ErrOrStderr(), "text", slog.LevelWarn)
			if err != nil {
				return err
			}
			from, err := parseClient(client)
			if err != nil {
				return err
			}
			s, err := config.Read(path)
			if err != nil {
				return err
			}
			e, err := service.Explain(s, args[0], from, log)
			if err != nil {
				return err
			}
			tellSource(cmd, s.State, e.Copies)
			if err := printExplanation(cmd, args[0], &e, s.AllowFile, asJSON); err != nil {
				return err
			}
			if e.Unsure() {
				return unsure{}
			}
			return nil
		},
	}
	requireSettings(cmd, &path)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringVar(&client, "client", "", "`address` of the client that asks, for the view that it is in")
	return cmd
}

// tellSource prints what the answer of the command lookup is based on, since a running server may enforce something
// else. If no server answers, it prints the state of each list on disk. Otherwise, lookup has read the settings and the
// files on disk, and tellSource prints which of them the server could not load.
func tellSource(cmd *cobra.Command, state string, copies []service.Copy) {
	s, err := service.NewControl(state).Status(cmd.Context())
	if err != nil { // none runs, or it does not answer this user
		for _, c := range copies {
			fmt.Fprintf(cmd.ErrOrStderr(), "dnsfilter: no server answers; by what is in %s of list %s: %s\n",
				state, c.List, copyText(c))
		}
		return
	}
	const format = "dnsfilter: warning: this is the answer by the files on disk; the running server has not taken over %s: %s\n"
	if s.Settings != "" {
		fmt.Fprintf(cmd.ErrOrStderr(), format, "the settings", s.Settings)
	}
	for _, l := range s.Lists {
		if l.File != "" && l.Error != "" {
			fmt.Fprintf(cmd.ErrOrStderr(), format, "the file of list "+l.List, l.Error)
		}
	}
}

// copyText returns a phrase for the state of a list on disk: its serial or the file, with its time and age.
func copyText(c service.Copy) string {
	text, age := "the file", time.Since(c.Made).Round(time.Second)
	if c.Serial > 0 {
		text = fmt.Sprintf("serial %d", c.Serial)
	}
	return fmt.Sprintf("%s of %s, %s old", text, c.Made.UTC().Format(time.RFC3339), age)
}

func parseClient(text string) (netip.Addr, error) {
	if text == "" {
		return netip.Addr{}, nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return a, usageError{fmt.Errorf("client %q is no IP address", text), "write --client 192.0.2.7"}
	}
	return a, nil
}

// unsure is the error of a lookup that can't decide, because a list has nothing in force.
type unsure struct{}

// Error implements error.
func (unsure) Error() string {
	return "could not tell: nothing is in force of a list that may decide; see the warnings, and dnsfilter status of the server"
}

// explanation is the JSON output of lookup.
type explanation struct {
	Name   string `json:"name"`
	Action string `json:"action"`       // the action, or "unknown" if the lookup can't decide
	By     string `json:"by,omitempty"` // the quorum that decided, if one did
	*entry
	// Trigger is the trigger of the policy zone's rule that decided; entry then has the owner of its record.
	Trigger string `json:"trigger,omitempty"`
	// Waits is true if the decision is provisional: an earlier policy zone may still override it by a trigger on the
	// answer.
	Waits  bool   `json:"waits,omitempty"`
	Divert string `json:"divert,omitempty"` // list whose url entries divert the host to a proxy
	// Zone is the zone of the name, if the general upstream is not asked about it.
	Zone      string  `json:"zone,omitempty"`
	Held      []entry `json:"held,omitempty"`      // entries for the name, of all lists; left out if entry is the only one
	URLs      []entry `json:"urls,omitempty"`      // all lists with an entry for the URL itself
	Forwarded bool    `json:"forwarded,omitempty"` // other resolvers answer for Zone

	Unserved bool     `json:"unserved,omitempty"` // the client is not served
	Missing  []string `json:"missing,omitempty"`  // lists that have nothing in force
}

// entry is the JSON form of an entry with its list.
type entry struct {
	List      string     `json:"list"`
	File      string     `json:"file,omitempty"` // file of an allow list
	Entry     string     `json:"entry"`
	Category  string     `json:"category,omitempty"`
	Reference string     `json:"reference,omitempty"`
	Expires   *time.Time `json:"expires,omitempty"`
	Monitor   bool       `json:"monitor,omitempty"`
}

func printExplanation(cmd *cobra.Command, name string, e *service.Explanation, allowFile func(string) string,
	asJSON bool,
) error {
	entryOf := func(m blocklist.Match) entry {
		e := entry{
			List: m.List, File: allowFile(m.List), Entry: m.Entry(), Category: m.Category, Reference: m.Reference,
			Monitor: m.Monitor,
		}
		if !m.Expires.IsZero() {
			e.Expires = &m.Expires
		}
		return e
	}
	out := explanation{
		Name: name, Action: e.Action.String(), Divert: e.Divert, Zone: e.Zone, Forwarded: e.Forwarded,
		Unserved: e.Unserved, Missing: e.Missing,
	}
	if e.Unsure() {
		out.Action = "unknown"
	}
	if e.Match.List != "" {
		decided := entryOf(e.Match)
		out.entry = &decided
	}
	if trigger, owner, ok := e.Decision.Trigger(); ok {
		out.entry = &entry{List: e.By(), Entry: owner}
		out.Trigger, out.Waits = trigger.String(), e.Waits()
	}
	if by := e.By(); by != e.Match.List {
		out.By = by
	}
	for _, m := range e.Held {
		out.Held = append(out.Held, entryOf(m))
	}
	for _, m := range e.URLs {
		out.URLs = append(out.URLs, entryOf(m))
	}
	if len(out.Held) == 1 && out.entry != nil {
		out.Held = nil
	}
	w := cmd.OutOrStdout()
	if asJSON {
		return json.NewEncoder(w).Encode(out)
	}
	_, err := fmt.Fprint(w, out.text())
	return err
}

// text returns the explanation as text: a line with the decision, and, if several lists have the name, a line for each.
func (e explanation) text() string {
	why := []string{"on no list"}
	switch {
	case e.Trigger != "":
		why = []string{fmt.Sprintf("policy zone of list %s, trigger %s, record %s", e.List, e.Trigger, e.Entry)}
	case e.entry != nil && e.By != "":
		why = []string{e.By, "first " + e.entry.text()}
	case e.entry != nil:
		why = []string{e.entry.text()}
	case e.Unserved:
		why = []string{"this client is not served; clients names those that are"}
	case len(e.Held) > 0:
		why = []string{"listed, and no rule for it"}
	case len(e.URLs) > 0:
		why = []string{"the host is on no list; the DNS does not enforce entries for URLs"}
	}
	if e.Waits {
		why = append(why, "unless the answer triggers a policy zone before it")
	}
	if len(e.Missing) > 0 {
		why = append(why, "nothing is in force of "+strings.Join(e.Missing, ", "))
	}
	if e.Divert != "" {
		why = append(why, "led to a proxy for URLs on list "+e.Divert)
	}
	switch {
	case e.Forwarded:
		why = append(why, "forwarded for zone "+e.Zone)
	case e.Zone != "":
		why = append(why, "answered here for zone "+e.Zone)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s (%s)\n", e.Name, e.Action, strings.Join(why, "; "))
	for _, held := range slices.Concat(e.Held, e.URLs) {
		fmt.Fprintf(&b, "  %s\n", held.text())
	}
	return b.String()
}

func (e entry) text() string {
	text := "list " + e.List
	if e.File != "" {
		text += ", file " + e.File
	}
	text += ", entry " + e.Entry
	if e.Category != "" {
		text += ", category " + e.Category
	}
	if e.Reference != "" {
		text += fmt.Sprintf(", reference %q", e.Reference)
	}
	if e.Expires != nil {
		text += ", expires " + e.Expires.Format(time.RFC3339)
	}
	if e.Monitor {
		text += ", status monitor"
	}
	return text
}
