package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
)

func (a *app) lookup() *cobra.Command {
	var asJSON bool
	var in input
	cmd := &cobra.Command{
		Use:   "lookup FILE|DIR NAME|URL|ADDRESS",
		Short: "Look up whether something is listed, and by which entry",
		Long: `Look up whether something is listed, and by which entry, in a file of any format, in an agency's folder, or in what
pull has written.

Exit codes: 0 listed, 1 not listed, 2 could not tell. Entries past their expiry don't count; an entry with
status=monitor counts, and says so.`,
		Example: `  blocklist lookup hosts.txt www.example.com
  blocklist lookup DIR https://host.example/path`,
		Args: args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			found, err := a.find(cmd.Context(), &in, args[0], args[1])
			if err == nil {
				err = printAll(a, asJSON, withoutErrors(found), toJSON, blocklist.Entry.String)
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

// find returns the entries in the file or folder path that cover what text names.
func (a *app) find(ctx context.Context, in *input, path, text string) ([]blocklist.Entry, error) {
	search, err := searchFor(text)
	if err != nil {
		return nil, err
	}
	switch {
	case isFile(filepath.Join(path, "ledger.db")):
		return findInLedger(ctx, path, text, search)
	case isFile(filepath.Join(path, pulledFile)):
		path = filepath.Join(path, pulledStore)
	}
	if isFile(path) || path == "-" {
		r, done, err := in.open(a, path)
		if err != nil {
			return nil, err
		}
		defer done()
		return findAmong(r.Entries(), search)
	}
	store, err := blocklist.Open(path, blocklist.Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer store.Close() //nolint:errcheck // it was only read
	return findInStore(store, search)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

// search looks one thing up in a store.
type search func(*blocklist.Store) (blocklist.Match, bool)

// searchFor returns the search for what text names: an address, a URL, or else a name.
func searchFor(text string) (search, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return func(s *blocklist.Store) (blocklist.Match, bool) { return s.LookupAddr(a) }, nil
	}
	if strings.ContainsAny(text, "/?") {
		_, err := blocklist.ParseURL(text)
		return func(s *blocklist.Store) (blocklist.Match, bool) { return s.LookupURL(text) }, err
	}
	_, err := blocklist.ParseName(text)
	return func(s *blocklist.Store) (blocklist.Match, bool) { return s.LookupHost(text) }, err
}

// errNoList is returned for a folder in which there is nothing to look up.
var errNoList = errors.New("there is no list in it: it is neither an agency's folder nor one of pull or of a resolver")

// findInStore returns the entry that decides.
func findInStore(store *blocklist.Store, search search) ([]blocklist.Entry, error) {
	lists := store.Lists()
	if len(lists) == 0 {
		return nil, errNoList
	}
	for _, l := range lists {
		if l.Err != nil {
			return nil, fmt.Errorf("looking in %s: %w", l.List, l.Err)
		}
	}
	m, ok := search(store)
	if !ok {
		return nil, nil
	}
	e, err := blocklist.ParseEntry(m.Entry())
	e.Attributes = blocklist.Attributes{Category: m.Category, Reference: m.Reference, Expires: m.Expires, Monitor: m.Monitor}
	return []blocklist.Entry{e}, err
}

// findAmong compiles entries as a resolver would, in a temporary folder, and looks there.
func findAmong(entries iter.Seq2[blocklist.Entry, error], search search) (found []blocklist.Entry, err error) {
	dir, err := os.MkdirTemp("", "blocklist-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	store, err := blocklist.Open(dir, blocklist.Options{})
	if err != nil {
		return nil, err
	}
	defer store.Close() //nolint:errcheck // a temporary store
	if err := store.SetLocal("lookup", "", entries); err != nil {
		return nil, err
	}
	return findInStore(store, search)
}

// findInLedger finds names by their parents, which takes no time; all else as in a file.
func findInLedger(ctx context.Context, dir, text string, search search) (found []blocklist.Entry, err error) {
	l, err := publish.Open(dir)
	if err != nil {
		return nil, err
	}
	defer l.Close() //nolint:errcheck // it was only read
	name, err := blocklist.ParseName(text)
	if _, notName := netip.ParseAddr(text); err != nil || notName == nil || strings.ContainsAny(text, "/?") {
		return findAmong(l.Entries(ctx), search)
	}
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

func withoutErrors(all []blocklist.Entry) iter.Seq2[blocklist.Entry, error] {
	return func(yield func(blocklist.Entry, error) bool) {
		for _, e := range all {
			if !yield(e, nil) {
				return
			}
		}
	}
}
