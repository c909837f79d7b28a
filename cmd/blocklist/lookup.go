package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/cmd/internal/unknown"
)

func (a *app) lookup() *cobra.Command {
	var asJSON bool
	var in input
	cmd := &cobra.Command{
		Use:   "lookup FILE|DIR NAME|URL|ADDRESS|-",
		Short: "Look up whether something is listed, and by which entry",
		Long: `Look up whether something is listed, and by which entry. The list is a file of any format, a set of compile, an agency's
folder, a folder that pull has written, or the state folder of a running resolver.

A URL is read as browsers read it. A text without scheme, path and query is an address or a name, with or without a port.

Exit codes: 0 listed, 1 not listed, 2 the lookup failed, so it may be listed. Expired entries don't count. Entries with
status=monitor count; the output shows the status.

With -, it reads queries from standard input until the end, for programs in other languages. Each line is a name, URL or
address, and is answered at once with one JSON object on a line. "query" is the line; "listed" is true or false; "error" is
there instead if the lookup failed. A listed one also has list, target, scope, category, ref, status (block or monitor) and
expires. When the file or folder changes, the answers follow within 2 seconds.`,
		Example: `  blocklist lookup hosts.txt www.example.com
  blocklist lookup DIR https://host.example/path
  printf 'www.example.com\nhttps://host.example/path\n' | blocklist lookup DIR -`,
		Args: args(unknown.Args(2, 2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[1] == "-" {
				return a.answerJSONLines(cmd.Context(), &in, args[0])
			}
			found, err := a.find(cmd.Context(), &in, args[0], args[1])
			if err == nil {
				err = printAll(a, asJSON, each(found), toJSON, blocklist.Entry.String)
			}
			if err != nil {
				return exitError{exitUsage, err}
			}
			if len(found) == 0 {
				return exitError{code: exitFailed}
			}
			return nil
		},
	}
	in.flags(cmd, "format")
	jsonFlag(cmd, &asJSON)
	return cmd
}

// find returns the entries in a file or folder that match text: a URL, a name or an address.
func (a *app) find(ctx context.Context, in *input, path, text string) ([]blocklist.Entry, error) {
	search, err := searchFor(text)
	if err != nil {
		return nil, err
	}
	if name, _, err := blocklist.ParseHost(text); err == nil && name != "" && !blocklist.IsURL(text) && isLedger(path) {
		return findInLedger(ctx, path, name)
	}
	l, err := a.openLists(ctx, in, path)
	if err != nil {
		return nil, err
	}
	m, ok := search(l)
	if !ok {
		return nil, nil
	}
	e, err := matched(m)
	return []blocklist.Entry{e}, err
}

// matched returns the entry of a match.
func matched(m blocklist.Match) (blocklist.Entry, error) {
	e, err := blocklist.ParseEntry(m.Entry())
	e.Attributes = blocklist.Attributes{
		Category: m.Category, Reference: m.Reference, Expires: m.Expires,
		Monitor: m.Monitor,
	}
	return e, err
}

// search is a lookup of one URL, name or address.
type search func(lists) (blocklist.Match, bool)

// searchFor returns the lookup for a text: a URL, an address, or otherwise a name.
func searchFor(text string) (search, error) {
	if blocklist.IsURL(text) {
		return func(l lists) (blocklist.Match, bool) { return l.LookupURL(text) }, blocklist.CheckURL(text)
	}
	_, _, err := blocklist.ParseHost(text)
	return func(l lists) (blocklist.Match, bool) { return l.LookupHost(text) }, err
}

// findInLedger returns the entries for a name and its parents in an agency's ledger. It is fast, because it compiles no
// list.
func findInLedger(ctx context.Context, dir string, name blocklist.Name) (found []blocklist.Entry, err error) {
	l, err := publish.Open(dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	targets := []string{blocklist.HostEntry(name).Target()}
	for suffix := range name.Suffixes() {
		targets = append(targets, blocklist.DomainEntry(suffix).Target())
	}
	for _, target := range targets {
		e, ok, err := l.Lookup(ctx, target)
		if err != nil {
			return nil, err
		}
		if ok && (e.Expires.IsZero() || e.Expires.After(time.Now())) {
			found = append(found, e)
		}
	}
	return found, nil
}
