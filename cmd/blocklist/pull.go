package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/subscribe"
	"github.com/argine-dns/argine/cmd/internal/unknown"
)

// Names of files in a folder that pull writes.
const (
	pulledFile  = "entries.txt"
	urgentFile  = "urgent.txt" // entries of urgent orders, each with its expiry
	pulledStore = "store"      // verified metadata, for protection against rollback
)

func (a *app) pull() *cobra.Command {
	var root, identity, dir string
	cmd := &cobra.Command{
		Use:   "pull --root ROOT.json URL... -o DIR",
		Short: "Get a list as a subscriber would: verify, then write the entries",
		Long: `Get a list as a subscriber would: verify it, then write the entries to DIR/entries.txt, and the urgent orders with their
ends to DIR/urgent.txt. URL is an origin or a mirror; with several, the next one is tried when one fails. DIR remembers the
newest verified release, and older ones are refused later. Entries that the guards of a resolver would hold are written, and
reported.

A confidential list needs --identity: a file that "keygen --subscriber" or age-keygen has made.`,
		Example: `  blocklist pull --root root.json https://origin.example -o DIR
  blocklist pull --root root.json --identity isp.age https://origin.example -o DIR`,
		Args: args(unknown.Args(1, -1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			pin, err := readRoot(root)
			if err != nil {
				return err
			}
			c := subscribe.Config{Root: pin, Origins: args}
			if identity != "" {
				if c.Identity, err = readAtMost(identity, maxRoot); err != nil {
					return err
				}
			}
			return a.runPull(cmd.Context(), c, dir)
		},
	}
	cmd.Flags().StringVar(&root, "root", "", "the `FILE` with the list's root, obtained from the agency by a way that you trust")
	cmd.Flags().StringVar(&identity, "identity", "", "the `FILE` with your age identity, for a confidential list")
	cmd.Flags().StringVarP(&dir, "output", "o", "", "the `DIR` to write to")
	required(cmd, "root", "output")
	return cmd
}

func (a *app) runPull(ctx context.Context, c subscribe.Config, dir string) (err error) {
	if c.List, _, err = subscribe.ReadRoot(c.Root); err != nil {
		return err
	}
	store, err := blocklist.Open(filepath.Join(dir, pulledStore), blocklist.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	s, err := subscribe.New(store, c)
	if err != nil {
		return err
	}
	done := a.during("fetching and verifying")
	_, err = s.Refresh(ctx)
	done()
	if err != nil {
		return err
	}
	if hold := s.Status().Hold; hold != nil { // nothing is enforced here, so a message is enough
		a.printf("the guards of a resolver would hold serial %d:", hold.Serial)
		a.printFindings(*hold.Report, maxShown)
		if err := s.Accept(ctx, hold.ID); err != nil {
			return err
		}
	}
	path := filepath.Join(dir, pulledFile)
	done = a.during("writing the entries")
	err = writeFile(path, func(w io.Writer) error { return writeEntries(w, s.Entries()) })
	done()
	if err != nil {
		return err
	}
	urgentPath := filepath.Join(dir, urgentFile)
	if err := writeFile(urgentPath,
		func(w io.Writer) error { return writeEntries(w, each(s.UrgentEntries())) }); err != nil {
		return err
	}
	status := s.Status()
	fingerprint, err := publish.Fingerprint(c.Root)
	if err != nil {
		return err
	}
	a.result(fields{
		"list": c.List, "fingerprint": fingerprint, "serial": status.Serial, "entries": status.Entries, "digest": status.Digest,
		"urgent": status.Urgent, "file": path, "urgent_file": urgentPath,
	})
	a.printf("trusted from the root with fingerprint %s on", fingerprint)
	a.printf("%s serial %d, %s, digest %s: %s", c.List, status.Serial, plural(status.Entries, "entry", "entries"), status.Digest, path)
	if status.Urgent > 0 {
		a.printf("on top of it: %s: %s", plural(uint64(status.Urgent), "urgent order", "urgent orders"), urgentPath)
	}
	return nil
}

// writeEntries writes entries, one per line.
func writeEntries(w io.Writer, entries iter.Seq2[blocklist.Entry, error]) error {
	out := bufio.NewWriter(w)
	for e, err := range entries {
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(out, e); err != nil {
			return err
		}
	}
	return out.Flush()
}
