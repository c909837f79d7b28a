package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/origin"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/subscribe"
	"github.com/argine-dns/argine/cmd/internal/unknown"
)

func (a *app) push() *cobra.Command {
	var author string
	cmd := &cobra.Command{
		Use:   "push URL|ORIGIN",
		Short: "Bring the signed release to an origin",
		Long: `Bring the signed release to an origin, by its URL or its folder. The origin verifies all of the release before it serves
any part. Without a pending release, the newest release is pushed again, for example to another origin.

A new root goes out with the release once enough officers have signed it. While it waits, releases are pushed under the
root before; the command then says so, and ends with 3.`,
		Example: `  blocklist -C DIR push https://origin.example
  blocklist -C DIR push ORIGIN`,
		Args: args(unknown.Args(1, 1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkOrigin(args[0]); err != nil {
				return err
			}
			return a.withLedger(func(l *publish.Ledger) error {
				p, err := l.Push(cmd.Context(), deliverTo(args[0]), publish.Audit{Author: author, Reason: args[0]})
				if err != nil {
					return a.explainPush(cmd.Context(), l, args[0], err)
				}
				a.printf("pushed %s, %s, to %s", p.What(), plural(p.Entries, "entry", "entries"), args[0])
				if err := a.nextAfterPush(cmd.Context(), l, p); err != nil {
					return err
				}
				return a.endPush(l, fields{"origin": args[0], "pushed": p})
			})
		},
	}
	authorFlag(cmd, &author)
	return cmd
}

// nextAfterPush prints a next step if the list has changed since the pushed release was made.
func (a *app) nextAfterPush(ctx context.Context, l *publish.Ledger, p *publish.Pending) error {
	head, err := l.History().Head(ctx)
	if err == nil && head.Digest != p.Digest {
		a.next("blocklist -C %s release: the list has changed since serial %d was made", a.dir, p.Serial)
	}
	return err
}

// endPush sets the result of a push or bundle. If a new root waits for signatures, it says that the root did not go
// out, and returns an error with [exitAttention].
func (a *app) endPush(l *publish.Ledger, result fields) error {
	a.result(result)
	waiting := a.warnWaiting(l)
	if waiting == nil {
		return nil
	}
	result["waiting"] = waiting
	return exitError{code: exitAttention}
}

// warnWaiting prints a warning if a new root waits for signatures, and returns that root. It returns nil if none waits.
func (a *app) warnWaiting(l *publish.Ledger) *publish.Pending {
	p, err := l.Pending()
	if err != nil || p.Root == 0 { // a damaged document does not go out; status and sign say so
		return nil
	}
	a.printf("warning: %s was NOT pushed: it waits for signatures (%s); "+
		"until it is signed and pushed, subscribers trust root %d", p.What(), signatures(p), p.Root-1)
	a.next("officers run blocklist -C %s sign --key OFFICER.key; then push again", a.dir)
	return p
}

// deliverTo returns the transport to an origin, which is given by its base URL or its folder.
func deliverTo(where string) publish.Transport {
	if isURL(where) {
		return publish.ToHTTP(http.DefaultClient, where)
	}
	return func(ctx context.Context, _ string, bundle io.Reader) error {
		o, err := origin.Open(where, origin.Options{}) //nolint:contextcheck // it opens files, and waits for nothing
		if err != nil {
			return err
		}
		_, err = o.Accept(ctx, bundle)
		return err
	}
}

// checkOrigin fails if the place is neither a URL nor an existing folder: for example, if it is the name of a server
// without a scheme.
func checkOrigin(place string) error {
	if isURL(place) {
		return nil
	}
	if _, err := os.Stat(place); errors.Is(err, fs.ErrNotExist) {
		return usage("there is no folder %q; for a server write https://%s", place, place)
	}
	return nil
}

func isURL(where string) bool {
	return strings.HasPrefix(where, "http://") || strings.HasPrefix(where, "https://")
}

// compare compares the ledger with the newest release of the origin at a place.
func (a *app) compare(ctx context.Context, l *publish.Ledger, place string) (c publish.Comparison, err error) {
	root, err := readAtMost(filepath.Join(a.dir, "root.json"), maxRoot)
	if err != nil {
		return c, err
	}
	bundle, err := openSigned(ctx, place, root, subscribe.CopyMetadata)
	if err != nil {
		return c, err
	}
	defer bundle.Close() //nolint:errcheck // it was only read
	return l.Compare(ctx, bundle)
}

// explainPush adds an explanation to the error of a push: too few signatures, or a release at the origin that the
// ledger lacks.
func (a *app) explainPush(ctx context.Context, l *publish.Ledger, to string, pushed error) error {
	if errors.Is(pushed, blocklist.ErrBusy) || errors.Is(pushed, publish.ErrNothingPending) {
		return pushed
	}
	if p, err := l.Pending(); err == nil && !p.Enough() {
		return withHint(pushed, "officers run blocklist -C %s sign --key OFFICER.key", a.dir)
	}
	c, err := a.compare(ctx, l, to)
	if err != nil || !c.Behind() {
		return pushed
	}
	return withHint(behindError{c, pushed}, "%s", a.recoverWith(to))
}

// recoverWith returns the hint with the command that recovers the ledger from an origin.
func (a *app) recoverWith(from string) string {
	return fmt.Sprintf("blocklist recover %s %s --root ROOT.json brings it up to date; what was ordered here meanwhile comes back and is pending", from, a.dir)
}

// behindError is the error of a push to an origin with a release that the ledger lacks.
type behindError struct {
	publish.Comparison
	error
}

func (e behindError) Error() string { return "the origin has " + e.Comparison.String() }
func (e behindError) Unwrap() error { return e.error }
