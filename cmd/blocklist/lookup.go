package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
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
				return exitCode{exitUsage, err}
			}
			if len(found) == 0 {
				return exitCode{code: exitFailed}
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
	targets, err := coveredBy(text)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		if _, err := os.Stat(filepath.Join(path, pulledFile)); err == nil {
			path, in.format = filepath.Join(path, pulledFile), string(formats.Argine)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		} else {
			return findInLedger(ctx, path, targets)
		}
	}
	return a.findInFile(in, path, targets)
}

func findInLedger(ctx context.Context, dir string, targets []string) (found []blocklist.Entry, err error) {
	l, err := publish.Open(dir)
	if err != nil {
		return nil, err
	}
	defer l.Close() //nolint:errcheck // it was only read
	for _, target := range targets {
		e, ok, err := l.Lookup(ctx, target)
		if err != nil {
			return nil, err
		}
		if ok && inForce(e) {
			found = append(found, e)
		}
	}
	return found, nil
}

func (a *app) findInFile(in *input, path string, targets []string) (found []blocklist.Entry, err error) {
	wanted := map[string]bool{}
	for _, t := range targets {
		wanted[t] = true
	}
	r, done, err := in.open(a, path)
	if err != nil {
		return nil, err
	}
	defer done()
	for e, err := range r.Entries() {
		if err != nil {
			return nil, err
		}
		if wanted[e.Target()] && inForce(e) {
			found = append(found, e)
		}
	}
	return found, nil
}

func inForce(e blocklist.Entry) bool { return e.Expires.IsZero() || e.Expires.After(time.Now()) }

func withoutErrors(all []blocklist.Entry) iter.Seq2[blocklist.Entry, error] {
	return func(yield func(blocklist.Entry, error) bool) {
		for _, e := range all {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// coveredBy returns the targets of all entries that would cover what text names: a name, a URL or an address.
func coveredBy(text string) ([]string, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return addressTargets(a.Unmap()), nil
	}
	if strings.ContainsAny(text, "/?") {
		return urlTargets(text)
	}
	name, err := blocklist.ParseName(text)
	if err != nil {
		return nil, err
	}
	return nameTargets(name), nil
}

// nameTargets returns name alone, and it and its parents with all below them.
func nameTargets(name blocklist.Name) []string {
	targets := []string{blocklist.HostEntry(name).Target()}
	for suffix := range name.Suffixes() {
		targets = append(targets, blocklist.DomainEntry(suffix).Target())
	}
	return targets
}

// addressTargets returns every prefix that holds an address.
func addressTargets(a netip.Addr) []string {
	var targets []string
	for bits := a.BitLen(); bits >= 0; bits-- {
		targets = append(targets, blocklist.IPEntry(netip.PrefixFrom(a, bits)).Target())
	}
	return targets
}

// maxTargets limits how many entries could cover one URL; only nonsense has more.
const maxTargets = 20_000

// urlTargets returns the entries that would cover a URL: those of its host, and the URL's own.
func urlTargets(text string) ([]string, error) {
	u, err := blocklist.ParseURL(text)
	if err != nil {
		return nil, err
	}
	hosts := []string{u.Host}
	var targets []string
	if a, err := netip.ParseAddr(strings.Trim(u.Host, "[]")); err == nil {
		targets = addressTargets(a)
	} else if name, err := blocklist.ParseName(u.Host); err == nil {
		targets = nameTargets(name)
		for suffix := range name.Suffixes() {
			hosts = append(hosts, "*."+suffix.String())
		}
	}
	paths := urlPaths(u)
	if len(hosts)*len(paths) > maxTargets {
		return nil, fmt.Errorf("looking up a URL with %d labels and %d path segments: %w", len(hosts), len(paths), blocklist.ErrTooLarge)
	}
	for _, host := range hosts {
		for _, path := range paths {
			targets = append(targets, "https://"+host+path)
		}
	}
	return targets, nil
}

// urlPaths returns the path with its query, the path with any query, and everything below the path and its parents.
func urlPaths(u blocklist.URL) []string {
	paths := []string{u.Path}
	if u.HasQuery {
		paths = append(paths, u.Path+"?"+u.Query)
	}
	below := strings.TrimSuffix(u.Path, "/")
	for ; below != ""; below = below[:strings.LastIndexByte(below, '/')] {
		paths = append(paths, below+"/*")
	}
	return append(paths, "/*")
}
