package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/subscribe"
	"github.com/argine-dns/argine/cmd/internal/unknown"
)

// followOptions are the flags of follow.
type followOptions struct {
	roots    []string
	identity string
	origins  []string
	accept   string
	dir      string
}

func (a *app) follow() *cobra.Command {
	var f followOptions
	cmd := &cobra.Command{
		Use:   "follow --root ROOT.json URL... -o DIR",
		Short: "Keep a folder with signed lists up to date, for the programs that look in it",
		Long: `Keep a folder with signed lists up to date, for programs that search it: squid, icap, lookup. URL is an origin or a mirror
that has all the lists. With several URLs, the next one is asked when one fails. Each release is verified and applied in one
step; on any failure the last good list stays in force. The command runs until it is interrupted; programs can go on to use
DIR afterwards. Only the user who runs this command can read DIR.

A release that the guards hold is not applied, and the log has its ID. Review it, then start this command again with
--accept ID. A resolver (dnsfilter) follows its lists by itself: programs can search its state folder directly.`,
		Example: `  blocklist follow --root csam.root.json https://origin.example https://mirror.example -o /var/lib/lists
  blocklist icap /var/lib/lists`,
		Args: args(unknown.Args(1, -1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.origins = args
			return a.runFollow(cmd.Context(), f)
		},
	}
	cmd.Flags().StringArrayVar(&f.roots, "root", nil, "the `FILE` with a list's root, obtained from the agency by a way that you trust; once for each list")
	cmd.Flags().StringVar(&f.identity, "identity", "", "the `FILE` with your age identity, for confidential lists")
	cmd.Flags().StringVar(&f.accept, "accept", "", "put the release on hold with this `ID` in force")
	cmd.Flags().StringVarP(&f.dir, "output", "o", "", "the `DIR` to keep")
	required(cmd, "root", "output")
	return cmd
}

// runFollow follows the lists until ctx ends.
func (a *app) runFollow(ctx context.Context, f followOptions) (err error) {
	store, err := blocklist.Open(f.dir, blocklist.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	all, err := f.subscribe(store, slog.New(slog.NewTextHandler(a.stderr, nil)))
	if err != nil {
		return err
	}
	accepted := f.accept == ""
	for _, s := range all {
		hold := s.Status().Hold
		if hold == nil {
			continue
		}
		a.printf("on hold: %s serial %d, as %s:", s.Status().List, hold.Serial, hold.ID)
		a.printFindings(*hold.Report, maxShown)
		if hold.ID == f.accept {
			if err := s.Accept(ctx, hold.ID); err != nil {
				return err
			}
			accepted = true
		}
	}
	if !accepted {
		return fmt.Errorf("accepting %.80q: %w", f.accept, subscribe.ErrNoHold)
	}
	var running sync.WaitGroup
	for _, s := range all {
		running.Go(func() { _ = s.Run(ctx) }) // it returns only when ctx ends
	}
	running.Wait()
	return nil
}

// subscribe returns a subscription to each list.
func (f *followOptions) subscribe(store *blocklist.Store, log *slog.Logger) (all []*subscribe.Subscription, err error) {
	var identity []byte
	if f.identity != "" {
		if identity, err = readAtMost(f.identity, maxRoot); err != nil {
			return nil, err
		}
	}
	for _, path := range f.roots {
		c := subscribe.Config{Origins: f.origins, Identity: identity, Log: log}
		if c.Root, err = readRoot(path); err != nil {
			return nil, err
		}
		if c.List, _, err = subscribe.ReadRoot(c.Root); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		s, err := subscribe.New(store, c)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}
