package publish

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// Transport brings the bundle of a list to an origin. It returns nil only when the origin has accepted it. An error that
// wraps one of package blocklist says that the origin has refused it; after any other error it may have arrived. An origin
// that lacks files refuses with an error which names them, and gets another bundle.
type Transport func(ctx context.Context, list string, bundle io.Reader) error

// Push brings the pending release to an origin and records that in the ledger. Without a pending release it brings the
// newest one, to a second origin perhaps. Push fails with [blocklist.ErrUntrusted] if signatures are missing, and says
// whose. The cause's reason is where the release went. An origin takes the same release twice, so a push may be repeated.
func (l *Ledger) Push(ctx context.Context, deliver Transport, c Audit) (*Pending, error) {
	return l.bring(ctx, deliver, c, l.deliver)
}

// Bundle is Push for where there is no network: deliver gets all of the release in one bundle, and keeps it. What has left
// in a bundle is released: its serial is used.
func (l *Ledger) Bundle(ctx context.Context, deliver Transport, c Audit) (*Pending, error) {
	return l.bring(ctx, deliver, c, l.deliverAll)
}

func (l *Ledger) bring(ctx context.Context, deliver Transport, c Audit, send func(context.Context, *Pending, Transport, Audit) error) (*Pending, error) {
	unlock, err := l.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	p, err := l.pushable(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.signatures.Err(p.What()); err != nil {
		return nil, fmt.Errorf("pushing: %w", err)
	}
	if err := l.markSent(ctx, p.Ledger); err != nil {
		return nil, err
	}
	if err := send(ctx, p, deliver, c); err != nil {
		if refused(err) {
			err = errors.Join(err, l.markSent(ctx, ""))
		}
		return nil, fmt.Errorf("pushing %s: %w", p.What(), err)
	}
	if err := l.recordPush(ctx, p, c); err != nil {
		return nil, err
	}
	return p, l.settlePush(ctx)
}

// markSent records which release is on its way to an origin: until that has answered, no other may have its serial.
func (l *Ledger) markSent(ctx context.Context, head string) error {
	_, err := l.db.ExecContext(ctx, `INSERT INTO meta VALUES ('sent', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`, head)
	return err
}

// checkSent fails if the pending release p was sent without an answer.
func (l *Ledger) checkSent(ctx context.Context, p *Pending) error {
	var sent string
	err := l.db.QueryRowContext(ctx, `SELECT value FROM meta WHERE key = 'sent'`).Scan(&sent)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err == nil && sent == p.Ledger:
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

// pushable returns the pending release, or the newest one.
func (l *Ledger) pushable(ctx context.Context) (*Pending, error) {
	p, err := l.heldRelease()
	if p != nil || err != nil {
		return p, err
	}
	last, err := lastRelease(ctx, l.db)
	if err != nil {
		return nil, err
	}
	if last.Serial == 0 {
		return nil, ErrNothingPending
	}
	return l.released(last.Serial)
}

// released returns a release that was pushed, if it has the signatures that the root in force asks for.
func (l *Ledger) released(serial uint64) (*Pending, error) {
	p, err := l.pendingRelease(l.releasePath(serial))
	if err == nil && !p.Enough() {
		err = fmt.Errorf("%w: too few of the officers of root %d have signed serial %d; blocklist release makes the next one for them to sign",
			blocklist.ErrUntrusted, p.root.Version(), serial)
	}
	return p, err
}

// deliver sends what the release before did not have, and then, if the origin lacks more, what it asks for.
func (l *Ledger) deliver(ctx context.Context, p *Pending, deliver Transport, c Audit) error {
	rel, err := l.readRelease(filepath.Dir(p.path))
	if err != nil {
		return err
	}
	var before signedRelease
	if p.Serial > 1 {
		if before, err = l.readRelease(l.releasePath(p.Serial - 1)); err != nil {
			return err
		}
	}
	old := func(f trust.File) bool { return slices.ContainsFunc(before.targets.All(), f.Equal) }
	return l.deliverBut(ctx, p, rel, deliver, old, c)
}

func (l *Ledger) deliverAll(ctx context.Context, p *Pending, deliver Transport, c Audit) error {
	rel, err := l.readRelease(filepath.Dir(p.path))
	if err != nil {
		return err
	}
	return l.deliverBut(ctx, p, rel, deliver, func(trust.File) bool { return false }, c)
}

// deliverBut sends all but old files, and then what the origin asks for. Newer urgent orders that the origin has are taken over.
func (l *Ledger) deliverBut(ctx context.Context, p *Pending, rel signedRelease, deliver Transport, old func(trust.File) bool, c Audit) (err error) {
	b := bundle{Ledger: l, release: rel}
	if b.roots, err = l.roots(p.root.Version()); err != nil {
		return err
	}
	if b.urgent, err = l.validOrders(ctx, p.root); err != nil {
		return err
	}
	send := func(without func(trust.File) bool) error {
		return b.deliver(ctx, deliver, slices.DeleteFunc(rel.targets.All(), without))
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

// bundle is what is sent to an origin.
type bundle struct {
	*Ledger
	release signedRelease
	roots   [][]byte
	urgent  []byte // orders that an officer of the root in force has signed, if any
}

func (b *bundle) deliver(ctx context.Context, deliver Transport, files []trust.File) error {
	r, w := io.Pipe()
	go func() {
		w.CloseWithError(trust.WriteBundle(w, b.roots, b.urgent, b.release.metadata, files, b.openFile))
	}()
	err := deliver(ctx, b.list, r)
	r.CloseWithError(io.ErrClosedPipe) // ends the goroutine where deliver has not read to the end
	return err
}

// recordPush records the push, and the release if it is a new one.
func (l *Ledger) recordPush(ctx context.Context, p *Pending, c Audit) error {
	c.Reason = fmt.Sprintf("%s to %s", p.What(), c.Reason)
	return l.operate(ctx, KindPush, c, func(o *operation) error {
		_, err := o.tx.ExecContext(ctx, `INSERT INTO releases (serial, operation, head, pushed)
			SELECT ?, id, hash, ? FROM operations WHERE hash = ? ON CONFLICT DO NOTHING`, p.Serial, formatTime(o.Time), p.Ledger)
		return err
	})
}
