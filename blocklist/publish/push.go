package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// Transport sends a bundle with metadata and files of the list to an origin. It returns nil only if the origin has
// accepted the bundle. An error that wraps an error of package blocklist, other than [blocklist.ErrUnavailable], means
// that the origin has refused the bundle. After any other error the origin may have accepted it. An origin that lacks
// files refuses with an error that names them; then Transport is called again with a second bundle.
type Transport func(ctx context.Context, list string, bundle io.Reader) error

// Push sends the pending release to an origin, and records the push in the ledger. Without a pending release it sends
// the last pushed release, for example to a second origin. If signatures are missing, it fails with
// [blocklist.ErrSignatures], and the error names the officers who have not signed. The reason in c says where the
// release was sent. A push can be repeated: an origin accepts the same release twice.
func (l *Ledger) Push(ctx context.Context, transport Transport, c Audit) (*Pending, error) {
	return l.push(ctx, KindPush, transport, c, l.sendNew)
}

// Bundle is [Ledger.Push] without a network: transport gets the whole release in one bundle, and stores the bundle. The
// release then counts as published: its serial can't be used again.
func (l *Ledger) Bundle(ctx context.Context, transport Transport, c Audit) (*Pending, error) {
	return l.push(ctx, KindBundle, transport, c, l.sendAll)
}

func (l *Ledger) push(ctx context.Context, kind string, transport Transport, c Audit,
	send func(context.Context, *Pending, Transport, Audit) error,
) (*Pending, error) {
	unlock, err := l.history.Lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	p, err := l.pushable(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.signatures.Err(p.What()); err != nil {
		return nil, fmt.Errorf("%s: %w", doing(kind), err)
	}
	if err := l.checkPushEnds(ctx, p); err != nil {
		return nil, fmt.Errorf("%s %s: %w", doing(kind), p.What(), err)
	}
	if err := l.history.SetMeta(ctx, metaSent, p.Ledger); err != nil {
		return nil, err
	}
	if err := send(ctx, p, transport, c); err != nil {
		if refused(err) {
			err = errors.Join(err, l.history.SetMeta(ctx, metaSent, ""))
		}
		return nil, fmt.Errorf("%s %s: %w", doing(kind), p.What(), err)
	}
	if err := l.recordPush(ctx, kind, p, c); err != nil {
		return nil, err
	}
	return p, l.archivePush(ctx)
}

// checkPushEnds fails with an [*EndsError] if pushing p would end urgent orders that are not in p. It never fails for a
// release that was pushed before.
func (l *Ledger) checkPushEnds(ctx context.Context, p *Pending) error {
	last, err := l.history.LastRelease(ctx)
	if err != nil || p.Serial == last.Serial {
		return err
	}
	return l.checkEnds(ctx, p)
}

// doing returns a word for error messages: what is being done in an operation of this kind, KindPush or KindBundle.
func doing(kind string) string {
	if kind == KindBundle {
		return "bundling"
	}
	return "pushing"
}

// checkSent fails if the pending release p was sent to an origin, and the origin has not answered: p may be public.
func (l *Ledger) checkSent(ctx context.Context, p *Pending) error {
	sent, err := l.history.Meta(ctx, metaSent)
	if err != nil {
		return err
	}
	last, err := l.history.LastRelease(ctx)
	if err == nil && sent != "" && (sent == p.Ledger || p.unreadable() && sent != last.Head) {
		err = fmt.Errorf("%s may have reached an origin; push it again first", p.What())
	}
	return err
}

func refused(err error) bool {
	return slices.ContainsFunc([]error{
		blocklist.ErrUntrusted, blocklist.ErrMalformed, blocklist.ErrRollback, blocklist.ErrExpired, blocklist.ErrTooLarge,
		blocklist.ErrBusy, blocklist.ErrDigest, blocklist.ErrGap, fs.ErrNotExist,
	}, func(known error) bool { return errors.Is(err, known) })
}

// pushable returns the pending release, or else the last pushed release. It fails with [ErrNothingPending] if there is
// neither.
func (l *Ledger) pushable(ctx context.Context) (*Pending, error) {
	p, err := l.waitingRelease()
	if p != nil || err != nil {
		return p, err
	}
	last, err := l.history.LastRelease(ctx)
	if err != nil {
		return nil, err
	}
	if last.Serial == 0 {
		return nil, ErrNothingPending
	}
	return l.released(last.Serial)
}

// released returns a pushed release as a [Pending]. It fails unless the release has enough signatures under the root in
// force.
func (l *Ledger) released(serial uint64) (*Pending, error) {
	p, err := l.pendingRelease(l.releasePath(serial))
	err = l.damaged(err, releasesDir, fmt.Sprint(serial), targetsFile)
	if err == nil && !p.Enough() {
		err = fmt.Errorf("serial %d: %w, of root %d; blocklist release makes the next one for them to sign",
			serial, blocklist.ErrSignatures, p.root.Version())
	}
	return p, err
}

// sendNew sends the files that the previous release did not have, and then other files if the origin lacks them.
func (l *Ledger) sendNew(ctx context.Context, p *Pending, transport Transport, c Audit) error {
	rel, err := l.readRelease(filepath.Dir(p.path))
	if err != nil {
		return err
	}
	var before signedRelease
	if p.base > 0 {
		if before, err = l.readPushed(p.base); err != nil {
			return err
		}
	}
	old := func(f trust.File) bool { return slices.ContainsFunc(before.targets.All(), f.Equal) }
	return l.sendExcept(ctx, p, rel, transport, old, c)
}

func (l *Ledger) sendAll(ctx context.Context, p *Pending, transport Transport, c Audit) error {
	rel, err := l.readRelease(filepath.Dir(p.path))
	if err != nil {
		return err
	}
	return l.sendExcept(ctx, p, rel, transport, func(trust.File) bool { return false }, c)
}

// sendExcept sends all files of a release except those for which old returns true. If the origin lacks other files, it
// sends them, too. If the origin has newer urgent orders, it copies them into the ledger, and fails.
func (l *Ledger) sendExcept(ctx context.Context, p *Pending, rel signedRelease, transport Transport,
	old func(trust.File) bool, c Audit,
) (err error) {
	b := bundle{Ledger: l, release: rel}
	if b.roots, err = l.roots(p.root.Version()); err != nil {
		return err
	}
	if b.urgent, err = l.validOrders(ctx, p.root); err != nil {
		return err
	}
	send := func(without func(trust.File) bool) error {
		return b.send(ctx, transport, slices.DeleteFunc(rel.targets.All(), without))
	}
	err = send(old)
	if missing := (*trust.MissingError)(nil); errors.As(err, &missing) {
		err = send(func(f trust.File) bool { return old(f) && !slices.Contains(missing.Paths, f.Path) })
	}
	if newer := (*trust.OrdersError)(nil); errors.As(err, &newer) {
		return l.adoptOrders(ctx, newer, c)
	}
	return err
}

// bundle is the content of a bundle for an origin.
type bundle struct {
	*Ledger
	release signedRelease
	roots   [][]byte
	urgent  []byte // signed urgent orders that add to the release; nil: none
}

func (b *bundle) send(ctx context.Context, transport Transport, files []trust.File) error {
	r, w := io.Pipe()
	go func() {
		w.CloseWithError(trust.WriteBundle(w, b.roots, b.urgent, b.release.metadata, files, b.openFile))
	}()
	err := transport(ctx, b.list, r)
	r.CloseWithError(io.ErrClosedPipe) // ends the goroutine if transport has not read to the end
	return err
}

// recordPush records the push as an operation. If it is the first push of the release, it records the release, too.
func (l *Ledger) recordPush(ctx context.Context, kind string, p *Pending, c Audit) error {
	c.Reason = sentRelease.With(p.List, p.Serial, c.Reason).String()
	return l.history.Record(ctx, kind, c, func(t *ledger.Tx) error { return t.AddRelease(ctx, p.Serial, p.Ledger) })
}

// PushUrgent sends the urgent orders to an origin, together with the pushed release to which they add. It ignores a
// pending release. The reason in c says where the orders were sent. It fails with [ErrNothingPending] if there are no
// signed orders.
func (l *Ledger) PushUrgent(ctx context.Context, transport Transport, c Audit) (UrgentList, error) {
	unlock, err := l.history.Lock(ctx)
	if err != nil {
		return UrgentList{}, err
	}
	defer unlock()
	orders, err := l.Urgent(ctx)
	if err != nil {
		return orders, err
	}
	if orders.Number == 0 {
		return orders, fmt.Errorf("pushing urgent orders: %w; blocklist urgent add makes some", ErrNothingPending)
	}
	p, err := l.released(orders.Serial)
	if err != nil {
		return orders, err
	}
	rel, err := l.readRelease(filepath.Dir(p.path))
	if err != nil {
		return orders, err
	}
	all := func(trust.File) bool { return true }
	if err := l.sendExcept(ctx, p, rel, transport, all, c); err != nil {
		return orders, fmt.Errorf("pushing urgent orders: %w", err)
	}
	c.Reason = sentOrders.With(orders.Number, c.Reason).String()
	return orders, l.history.Record(ctx, KindPush, c, nil)
}
