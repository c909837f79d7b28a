package main

import (
	"context"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/subscribe"
	"github.com/argine-dns/argine/cmd/internal/unknown"
)

func (a *app) recoverLedger() *cobra.Command {
	var o publish.RecoverOptions
	var root, identity string
	cmd := &cobra.Command{
		Use:   "recover ORIGIN|BUNDLE DIR --root ROOT.json",
		Short: "Bring a restored, damaged or lost ledger to the state that was signed",
		Long: `Bring the agency's folder DIR to the newest release that was signed: serial, entries, root and files. DIR may be older (restored
from a backup), damaged, empty or missing. ORIGIN is the URL of an origin or the folder of one, BUNDLE a file of "blocklist bundle".
Everything is verified from the given root on, as a subscriber does.

Operations of the ledger that the release does not have are recorded again, and wait for the next release. Review each of
them: the release may have undone it on purpose. Data that contradicts the release is moved to DIR/aside, never deleted. The
recovery is an operation in the history: officers see it when they sign the next release.

If the keys of a confidential list are lost, too, --identity of a subscriber is needed.`,
		Example: `  blocklist recover https://origin.example DIR --root root.json
  blocklist recover release.tar DIR --root root.json`,
		Args: args(unknown.Args(2, 2)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if o.Root, err = readRoot(root); err != nil {
				return err
			}
			if identity != "" {
				if o.Identity, err = readAtMost(identity, maxRoot); err != nil {
					return err
				}
			}
			r, err := a.runRecover(cmd.Context(), args[0], args[1], o)
			if err != nil {
				return err
			}
			a.result(r)
			a.printRecovered(r, args[1])
			return nil
		},
	}
	authorFlag(cmd, &o.Audit.Author)
	cmd.Flags().StringVar(&o.Audit.Reason, "reason", "", "the reason, a `TEXT` for the ledger")
	cmd.Flags().StringVar(&identity, "identity", "", "the `FILE` with the age identity of a subscriber, for a confidential list whose keys are lost")
	cmd.Flags().StringVar(&root, "root", "", "the `FILE` with a root of the list that you trust")
	required(cmd, "root")
	return cmd
}

func (a *app) runRecover(ctx context.Context, from, dir string, o publish.RecoverOptions) (
	r publish.Recovered, err error,
) {
	progress, done := a.progress("recovering: %s rows")
	defer done()
	o.Progress, o.Wait, o.Waiting = progress, a.wait, a.waiting
	bundle, err := openSigned(ctx, from, o.Root, subscribe.Copy)
	if err != nil {
		return r, err
	}
	defer bundle.Close() //nolint:errcheck // it was only read
	return publish.Recover(ctx, dir, bundle, o)
}

// openSigned opens a bundle: the file at the place, or, if the place is an origin, what the function read copies from
// that origin.
func openSigned(ctx context.Context, place string, root []byte,
	read func(context.Context, subscribe.Config, io.Writer) error,
) (io.ReadCloser, error) {
	if info, err := os.Stat(place); err == nil && info.Mode().IsRegular() {
		return os.Open(place)
	}
	c := subscribe.Config{Root: root, Origins: []string{place}}
	var err error
	if c.List, _, err = subscribe.ReadRoot(root); err != nil {
		return nil, err
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(read(ctx, c, w)) }()
	return r, nil
}

func (a *app) printRecovered(r publish.Recovered, dir string) {
	for _, name := range r.Mended {
		a.printf("mended: %s", name)
	}
	for _, name := range r.Aside {
		a.printf("set aside: %s", name)
	}
	for _, s := range r.Skipped {
		a.printf("%s", s)
	}
	for _, note := range r.Notes {
		a.printf("note: %s", note)
	}
	if r.Operation.ID > 0 {
		a.printf("recovered: %s serial %d, %s, as operation %d: %s came, %s went", r.List, r.Serial, plural(r.Entries, "entry", "entries"),
			r.Operation.ID, plural(r.Operation.Added, "line", "lines"), plural(r.Operation.Removed, "line", "lines"))
	} else {
		a.printf("%s serial %d, %s: the ledger is at this release", r.List, r.Serial, plural(r.Entries, "entry", "entries"))
	}
	if len(r.Again) > 0 {
		a.printf("beyond the release, and pending again; look at each:")
		for _, o := range r.Again {
			a.printf("  %s", operationText(o))
		}
		a.next("blocklist -C %s diff shows what would be released; blocklist -C %s release makes the release", dir, dir)
	}
}
