package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/subscribe"
	"github.com/argine-dns/argine/cmd/internal/unknown"
)

// mirrorOptions are the flags of mirror.
type mirrorOptions struct {
	roots   []string
	every   time.Duration
	origins []string
	dir     string
}

func (a *app) mirror() *cobra.Command {
	var f mirrorOptions
	cmd := &cobra.Command{
		Use:   "mirror --root ROOT.json URL... DEST",
		Short: "Copy an origin's lists to a folder that any web server can serve",
		Long: `Copy an origin's lists to the folder DEST, below DEST/lists, as the origin serves them. A web server that serves DEST is a
mirror, and so is a bucket or CDN with the same files. URL is an origin or another mirror; with several URLs, the next one is
asked when one fails.

Files are verified before they are written, and a mirror never goes back to an older release. Releases come first and the
timestamp last, so that no subscriber sees half a release, even if the command is killed. What a newer release has replaced
is removed after a day. A confidential list stays encrypted.

The command copies once, for cron or a timer. With --every it goes on until it is interrupted.`,
		Example: `  blocklist mirror --root csam.root.json https://origin.example /srv/mirror
  blocklist mirror --root csam.root.json --root wol.root.json --every 10s https://origin.example /srv/mirror`,
		Args: args(unknown.Args(2, -1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.every < 0 || f.every > 0 && f.every < time.Second {
				return usage("--every %s: at least 1s", f.every)
			}
			last := len(args) - 1
			f.origins, f.dir = args[:last], args[last]
			return a.runMirror(cmd.Context(), f)
		},
	}
	cmd.Flags().StringArrayVar(&f.roots, "root", nil, "the `FILE` with a list's root, obtained from the agency by a way that you trust; once for each list")
	cmd.Flags().DurationVar(&f.every, "every", 0, "copy again each `DURATION`, until it is interrupted; 0: once")
	required(cmd, "root")
	return cmd
}

// runMirror copies all lists, once or until ctx ends.
func (a *app) runMirror(ctx context.Context, f mirrorOptions) error {
	all, err := f.lists()
	if err != nil || f.every == 0 {
		return errors.Join(err, a.mirrorAll(ctx, all, f.dir, true))
	}
	for {
		if err := a.mirrorAll(ctx, all, f.dir, false); err != nil && ctx.Err() == nil {
			a.printf("%v; trying again in %s", err, f.every)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(f.every):
		}
	}
}

// lists returns the configuration for each list to be copied: one for each root.
func (f mirrorOptions) lists() (all []subscribe.Config, err error) {
	for _, path := range f.roots {
		c := subscribe.Config{Origins: f.origins}
		if c.Root, err = readRoot(path); err != nil {
			return nil, err
		}
		if c.List, _, err = subscribe.ReadRoot(c.Root); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, c)
	}
	return all, nil
}

// mirrorAll copies each list, and prints the result. If one list fails, the others are still copied. Lists that have
// not changed are printed only if unchanged is set.
func (a *app) mirrorAll(ctx context.Context, all []subscribe.Config, dir string, unchanged bool) (err error) {
	results := []fields{}
	for _, c := range all {
		done, mirrorErr := subscribe.Mirror(ctx, c, dir)
		if mirrorErr != nil {
			err = errors.Join(err, mirrorErr)
			continue
		}
		results = append(results, fields{
			"list": c.List, "serial": done.Serial, "root": done.Root, "changed": done.Changed, "files": done.Files,
			"bytes": done.Bytes, "removed": done.Removed,
		})
		switch {
		case done.Changed:
			a.printf("%s serial %d: %s of releases copied, %s bytes; %d removed", c.List, done.Serial,
				plural(uint64(done.Files), "file", "files"), thousands(uint64(done.Bytes)), done.Removed)
		case unchanged:
			a.printf("%s serial %d: nothing new", c.List, done.Serial)
		}
	}
	a.result(results)
	return err
}
