package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/blocklist/httpfilter"
	"github.com/argine-dns/argine/blocklist/publish"
)

// lists is what lookups search: the lists of a store, or one compiled list.
type lists interface {
	httpfilter.List
	Version() string
}

// openLists opens the lists in a file or a folder for lookups, as they are now.
func (a *app) openLists(ctx context.Context, in *input, path string) (lists, error) {
	if err := notURL(path); err != nil {
		return nil, err
	}
	if isFile(path) {
		set, err := blocklist.OpenSet(path)
		if !errors.Is(err, blocklist.ErrMalformed) {
			return set, err
		}
	}
	if store := filepath.Join(path, pulledStore); isFile(filepath.Join(path, pulledFile)) {
		return openStore(store)
	}
	if path != "-" && !isFile(path) && !isLedger(path) {
		return openStore(path)
	}
	l, err := a.openEntries(ctx, in, path)
	if err != nil {
		return nil, err
	}
	defer l.done()
	compiled, err := compile(l.name, l.entries)
	if err == nil && l.report != nil {
		a.printSkipped(l.report().Skipped, false)
	}
	return compiled, err
}

// namedEntries has the name and the entries of a list.
type namedEntries struct {
	name    string
	entries iter.Seq2[blocklist.Entry, error]
	done    func()                // must be called after the last entry
	report  func() formats.Report // returns how the file was read; nil for a folder
}

// openEntries opens the list in a file of any format, an agency's folder, or a folder written by pull.
func (a *app) openEntries(ctx context.Context, in *input, path string) (l namedEntries, err error) {
	if isLedger(path) {
		ledger, err := publish.Open(path)
		if err != nil {
			return l, err
		}
		return namedEntries{ledger.List(), ledger.Entries(ctx), func() { ledger.Close() }, nil}, nil //nolint:errcheck // it was only read
	}
	if pulled := filepath.Join(path, pulledFile); isFile(pulled) {
		path = pulled
	}
	r, done, err := in.open(a, path)
	if err != nil {
		return l, err
	}
	return namedEntries{"local", r.Entries(), done, r.Report}, nil
}

func isLedger(path string) bool { return isFile(filepath.Join(path, publish.LedgerFile)) }

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

// errNoList is returned for a folder without a list.
var errNoList = errors.New("there is no list in it: it is neither an agency's folder nor one of pull, follow or a resolver")

// openStore opens a store. It fails unless every list in it can be searched.
func openStore(path string) (lists, error) {
	store, err := blocklist.Open(path, blocklist.Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	all := store.Lists()
	if len(all) == 0 {
		return nil, fmt.Errorf("looking in %s: %w", path, errNoList)
	}
	for _, l := range all {
		switch {
		case l.Err != nil:
			return nil, fmt.Errorf("looking in %s: %w", l.List, l.Err)
		case l.Serial == 0 && l.Source == "":
			return nil, fmt.Errorf("looking in %s: nothing is held of it yet", l.List)
		}
	}
	return store, nil
}

// compile compiles entries into a set in memory, as a resolver does.
func compile(list string, entries iter.Seq2[blocklist.Entry, error]) (lists, error) {
	dir, err := os.MkdirTemp("", "blocklist-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder; an open set needs its file's name no more
	path := filepath.Join(dir, "set")
	if err := blocklist.BuildSet(path, list, entries); err != nil {
		return nil, err
	}
	return blocklist.OpenSet(path)
}
