package origin

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// MaxFile is the size limit of one release file that an origin accepts, in bytes.
const MaxFile = 1 << 30

// push is a bundle whose signatures have been verified.
type push struct {
	list   string
	roots  *rootChain
	root   *trust.Root // the newest root in the bundle
	urgent orders      // the urgent orders to publish with the release
	spec   trust.TargetsSpec
	here   map[string]trust.File // published files that the origin still has, by path
	known  bool                  // whether the origin has already published this release
	done   bool                  // whether there is nothing to do: the release is published under this root with all its files
}

// held reports whether the origin has this file. Its content was verified when it was received.
func (p *push) held(f trust.File) bool {
	return p.here[f.Path].Equal(f)
}

// checkMissing returns a [trust.MissingError] with the files of the release that neither the origin nor the bundle
// has. The function inBundle reports whether the bundle has a file.
func (p *push) checkMissing(inBundle func(trust.File) bool) error {
	var missing []string
	for _, f := range p.spec.All() {
		if !p.held(f) && !inBundle(f) {
			missing = append(missing, f.Path)
		}
	}
	if len(missing) > 0 {
		return &trust.MissingError{Paths: missing}
	}
	return nil
}

// Accept receives a bundle, verifies it completely, signs a snapshot and a timestamp, and publishes the release.
// Nothing becomes visible before everything is verified and durable. A push that fails changes nothing. Pushing a
// published release again is not an error.
//
// Accept fails with [blocklist.ErrUntrusted] if signatures are missing (the text names the signers) or content does
// not match its signed hash, with [blocklist.ErrGap] if neither the bundle nor the origin has a file of the release,
// with [blocklist.ErrRollback] for an older release, with [blocklist.ErrEquivocation] for a release that contradicts
// a published one, and with [blocklist.ErrBusy] if another process keeps the folder's lock. It also fails with
// [blocklist.ErrExpired], [blocklist.ErrMalformed] or [blocklist.ErrTooLarge].
func (o *Origin) Accept(ctx context.Context, bundle io.Reader) (blocklist.Header, error) {
	return o.accept(ctx, &rootChain{o: o}, bundle, func() {})
}

// accept implements Accept. The argument roots reads and checks the roots of the bundle. The argument verified is
// called after the officers' signatures on the push are verified, if there is something to publish.
func (o *Origin) accept(ctx context.Context, roots *rootChain, bundle io.Reader, verified func()) (h blocklist.Header,
	err error,
) {
	b, err := trust.ReadBundle(contextReader{ctx, bundle}, roots.take)
	if err != nil {
		return h, fmt.Errorf("reading a push: %w", err)
	}
	p, err := roots.check(roots.st, b)
	if err == nil && !p.done {
		verified()
		err = o.receiveAndCommit(ctx, p, b)
	}
	if err != nil {
		o.keepEvidence(err)
		return h, fmt.Errorf("accepting a push: %w", err)
	}
	return p.header()
}

// keepEvidence checks whether err is an equivocation. If so, it stores the proof in the origin's folder.
func (o *Origin) keepEvidence(err error) {
	var twice *trust.EquivocationError
	if !errors.As(err, &twice) {
		return
	}
	dir := filepath.Join(o.dir, evidenceDir, filepath.FromSlash(twice.List))
	kept, err := twice.Keep(dir)
	switch {
	case err != nil:
		o.o.Log.Error("keeping evidence", slog.String("list", twice.List), slogErr(err))
	case kept:
		o.o.Log.Warn("equivocation: officers have signed two states of one serial", slog.String("list", twice.List),
			slog.Uint64("serial", twice.Serial), slog.String("evidence", dir))
	}
}

// receiveAndCommit receives the files of a push and publishes the release.
func (o *Origin) receiveAndCommit(ctx context.Context, p *push, b *trust.Bundle) error {
	if !o.receiving.acquire(p.list) {
		return fmt.Errorf("%s: %w by other pushes; try again in a moment", p.list, blocklist.ErrBusy)
	}
	defer o.receiving.release(p.list)
	if err := p.roots.verifyEarly(); err != nil {
		return err
	}
	work, err := o.newUpload(ctx)
	if err != nil {
		return err
	}
	defer work.remove(o.o.Log)
	if err := work.receive(p, b); err != nil {
		return err
	}
	return o.change(ctx, func() error { return o.commit(p, b, work) })
}

// check verifies the targets and urgent orders of a bundle, and that its roots follow the origin's trusted root. It
// returns them as a push. The argument st is the published state.
func (c *rootChain) check(st *state, b *trust.Bundle) (*push, error) {
	if st == nil {
		return nil, fmt.Errorf("bundle: %w: it has no root", blocklist.ErrMalformed)
	}
	if err := c.follows(st); err != nil {
		return nil, err
	}
	p := &push{list: st.list, roots: c, root: c.root}
	if err := p.checkTargets(st, b.Targets); err != nil {
		return nil, err
	}
	return p, p.checkUrgent(st, b.Urgent)
}

// checkUrgent verifies the urgent orders of a push, the argument next, and sets p.urgent to the orders to publish. If
// next is empty, the published orders stay, because subscribers would report them missing otherwise. Orders that are
// older than the published orders fail with [blocklist.ErrRollback]. But if such orders belong to an earlier release
// than the push, they are ignored: they have no effect, so they are no reason to refuse the push.
func (p *push) checkUrgent(st *state, next []byte) error {
	p.urgent = st.urgent
	if len(next) == 0 || bytes.Equal(next, st.urgent.doc) {
		return nil
	}
	spec, err := p.openUrgent(st, next)
	switch {
	case errors.Is(err, blocklist.ErrRollback) && trust.UrgentSerial(spec.Version) < uint64(p.spec.Version):
		return nil
	case errors.Is(err, blocklist.ErrRollback):
		return &trust.OrdersError{Held: st.urgent.doc, Err: err}
	case err != nil:
		return err
	}
	limit := time.Now().Add(p.root.Spec().Urgent.Longest() + clockSkew)
	for _, e := range spec.Entries {
		if e.Expires.After(limit) {
			return fmt.Errorf("urgent orders: %w: %q would last until %s", blocklist.ErrUntrusted, e.Target(), e.Expires.Format(time.RFC3339))
		}
	}
	p.urgent, p.done = orders{next, spec.Version}, false
	return nil
}

// openUrgent parses the urgent orders of a push, the argument next, and verifies them against the published orders.
func (p *push) openUrgent(st *state, next []byte) (spec trust.UrgentSpec, err error) {
	if spec, err = trust.ParseUrgent(next); err != nil {
		return spec, err
	}
	with := trust.Metadata{Targets: &p.spec}
	if held, err := trust.ParseUrgent(st.urgent.doc); err == nil { // an earlier format does not count
		with.Urgent = &held
	}
	spec, _, err = with.AcceptUrgent(p.root, spec)
	return spec, err
}

// clockSkew is the accepted difference between the clock of this origin and those of officers and subscribers.
const clockSkew = 5 * time.Minute

// checkTargets verifies the signatures of targets. It refuses a release that is older than the published release or
// contradicts it.
func (p *push) checkTargets(st *state, targets []byte) (err error) {
	if p.spec, err = trust.ParseTargets(targets); err != nil {
		return err
	}
	newer, signed := trust.CheckNewer(st.targets, p.spec), p.spec.Verify(p.root)
	if signed == nil {
		err = trust.CheckEquivocation(st.targets, p.spec)
	}
	if err := cmp.Or(err, newer, signed); err != nil {
		return err
	}
	if time.Now().After(p.spec.Expires) {
		return fmt.Errorf("serial %d: %w on %s; make a new release", p.spec.Version, blocklist.ErrExpired, p.spec.Expires.Format(time.RFC3339))
	}
	p.here = st.files()
	if st.snapshot.Targets.Version != p.spec.Version {
		return nil
	}
	// The same release is published already. Its document keeps its version number, so the newest root must accept it
	// too.
	p.known, p.spec = true, *st.targets
	if err := p.spec.Verify(p.root); err != nil {
		return fmt.Errorf("%w; serial %d was published before this root: make a new release", err, p.spec.Version)
	}
	p.done = p.root.Version() == st.root.Version() && p.checkMissing(func(trust.File) bool { return false }) == nil
	return nil
}

// header returns the header of the accepted release.
func (p *push) header() (blocklist.Header, error) {
	return p.spec.Newest().Header()
}

// commit publishes a received push. It repeats the checks, because another push may have been published meanwhile.
func (o *Origin) commit(p *push, b *trust.Bundle, work *upload) error {
	st, err := o.load(p.list)
	if err != nil {
		return err
	}
	if p, err = p.roots.check(st, b); err != nil {
		return err
	}
	if err := p.checkMissing(work.has); err != nil {
		return err
	}
	if err := st.removeUncommitted(); err != nil {
		return err
	}
	if err := work.moveTo(st.dir.Path(trust.TargetsDir)); err != nil {
		return err
	}
	if err := st.writeDocuments(p); err != nil {
		return err
	}
	if err := o.publish(st, p.root, &p.spec, p.urgent); err != nil {
		return err
	}
	o.events.announce(p.list, event{p.spec.Version, p.urgent.version})
	o.o.Log.Info("published", slog.String("list", p.list), slog.Int64("serial", p.spec.Version), slog.Int64("root", p.root.Version()))
	if err := st.removeOld(p.urgent); err != nil {
		o.o.Log.Warn("removing old releases", slog.String("list", p.list), slogErr(err))
	}
	return nil
}

// writeDocuments writes new roots, targets and urgent orders. It does not change documents that are already
// published.
func (st *state) writeDocuments(p *push) error {
	docs := map[string][]byte{trust.TargetsName(p.spec.Version): p.spec.Bytes()}
	for version, root := range p.roots.docs {
		docs[trust.RootName(version)] = root
	}
	urgent := trust.UrgentName(p.urgent.version)
	if len(p.urgent.doc) > 0 {
		docs[urgent] = p.urgent.doc
	}
	for name, b := range docs {
		_, err := os.Stat(st.dir.Path(name))
		if errors.Is(err, fs.ErrNotExist) || name == urgent || name == trust.TargetsName(p.spec.Version) && !p.known {
			err = disk.WriteFile(st.dir.Path(name), b, 0o644)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// contextReader is a reader that fails after its context has ended.
type contextReader struct {
	ctx context.Context //nolint:containedctx // the reader lives as long as the call it belongs to
	r   io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

func slogErr(err error) slog.Attr { return slog.Any("error", err) }
