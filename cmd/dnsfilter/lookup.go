package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/dnsfilter"
)

func lookupCommand() *cobra.Command {
	var path string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "lookup -c dnsfilter.yaml NAME",
		Short: "Tell what happens to a name, and why",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			log, err := newLog(cmd.ErrOrStderr(), "text", slog.LevelWarn)
			if err != nil {
				return err
			}
			s, err := dnsfilter.ReadSettings(path)
			if err != nil {
				return err
			}
			d, err := s.Lookup(args[0], log)
			if err != nil {
				return err
			}
			return printDecision(cmd, args[0], d, asJSON)
		},
	}
	requireSettings(cmd, &path)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// decision is what lookup prints as JSON.
type decision struct {
	Name      string     `json:"name"`
	Action    string     `json:"action"`
	List      string     `json:"list,omitempty"`
	Entry     string     `json:"entry,omitempty"`
	Category  string     `json:"category,omitempty"`
	Reference string     `json:"reference,omitempty"`
	Expires   *time.Time `json:"expires,omitempty"`
}

func printDecision(cmd *cobra.Command, name string, d dnsfilter.Decision, asJSON bool) error {
	out := decision{Name: name, Action: d.Action.String(), List: d.Match.List, Category: d.Match.Category, Reference: d.Match.Reference}
	if out.List != "" {
		out.Entry = d.Match.Entry()
	}
	if !d.Match.Expires.IsZero() {
		out.Expires = &d.Match.Expires
	}
	w := cmd.OutOrStdout()
	if asJSON {
		return json.NewEncoder(w).Encode(out)
	}
	if out.List == "" {
		_, err := fmt.Fprintf(w, "%s: %s (on no list)\n", name, out.Action)
		return err
	}
	_, err := fmt.Fprintf(w, "%s: %s (list %s, entry %s%s)\n", name, out.Action, out.List, out.Entry, out.details())
	return err
}

// details are the attributes of the entry that are set.
func (d decision) details() (text string) {
	if d.Category != "" {
		text += ", category " + d.Category
	}
	if d.Reference != "" {
		text += fmt.Sprintf(", reference %q", d.Reference)
	}
	if d.Expires != nil {
		text += ", expires " + d.Expires.Format(time.RFC3339)
	}
	return text
}
