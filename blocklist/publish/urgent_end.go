package publish

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
)

// EndingOrder is an urgent order whose target would be blocked for a shorter time because of the next release. The
// order ends with that release, and the release does not list the target, or lists it with an earlier expiry.
type EndingOrder struct {
	blocklist.Entry
	Waiting  bool            // whether the order still waits for an officer's signature
	Accepted bool            // whether [Ledger.EndUrgent] has allowed the order to end
	Released bool            // whether the release in force blocks the target, too; set only by [Ledger.StandingUrgent]
	Kept     blocklist.Entry // the entry with which [Ledger.KeepUrgent] would list the target
	// Ordered is the operation that has put the order in force. It is the zero value if the ledger does not have that
	// operation. For a waiting order it has only the Author, Reason and Reference with which the order was prepared.
	Ordered Operation
}

// ErrEnds is returned if a release would end urgent orders whose targets it does not list, see [EndsError].
var ErrEnds = errors.New("the release would end urgent orders that are not in it")

// EndsError has the urgent orders that would end. It wraps [ErrEnds].
type EndsError struct{ Orders []EndingOrder }

func (e *EndsError) Error() string {
	targets := make([]string, len(e.Orders))
	for i, o := range e.Orders {
		targets[i] = o.Target()
	}
	return fmt.Sprintf("%v: %s", ErrEnds, strings.Join(targets, ", "))
}

func (e *EndsError) Unwrap() error { return ErrEnds }

// Ending returns the urgent orders whose targets would be blocked for a shorter time because of the pending release p,
// see [EndingOrder]. The orders are signed, or wait for a signature. If p is nil, Ending considers a release made now.
func (l *Ledger) Ending(ctx context.Context, p *Pending) ([]EndingOrder, error) {
	h, waiting, err := l.ordersSoFar(ctx)
	if err != nil {
		return nil, err
	}
	var orders []EndingOrder
	for _, e := range h.lasting() {
		orders = append(orders, EndingOrder{Entry: e})
	}
	if waiting != nil {
		for _, e := range unexpired(waiting.orders) {
			if indexTarget(h.lasting(), e.Target()) < 0 {
				orders = append(orders, EndingOrder{Entry: e, Waiting: true})
			}
		}
	}
	if len(orders) == 0 {
		return nil, nil
	}
	if orders, err = l.notIn(ctx, p, orders); err != nil {
		return nil, err
	}
	for i := range orders {
		orders[i].Kept = h.kept(orders[i].Entry)
		if orders[i].Waiting {
			orders[i].Ordered = Operation{Author: waiting.Author, Reason: waiting.Reason, Reference: waiting.Reference}
		}
	}
	return orders, errors.Join(l.findOrdered(ctx, orders), l.markAccepted(ctx, orders))
}

// StandingUrgent returns the signed urgent orders that have not expired, except those that the pending urgent orders
// would withdraw. It does not set Accepted.
func (l *Ledger) StandingUrgent(ctx context.Context) (orders []EndingOrder, err error) {
	h, waiting, err := l.ordersSoFar(ctx)
	if err != nil {
		return nil, err
	}
	for _, e := range h.lasting() {
		if waiting == nil || indexTarget(waiting.orders, e.Target()) >= 0 {
			orders = append(orders, EndingOrder{Entry: e, Kept: h.kept(e)})
		}
	}
	return orders, errors.Join(l.findOrdered(ctx, orders), l.markReleased(ctx, orders))
}

// markReleased sets Released in each order whose target the release in force blocks.
func (l *Ledger) markReleased(ctx context.Context, orders []EndingOrder) error {
	var targets []string
	for _, o := range orders {
		targets = append(targets, o.blockedBy()...)
	}
	blocked, err := l.blockedByRelease(ctx, targets, time.Now())
	for i, o := range orders {
		orders[i].Released = slices.ContainsFunc(o.blockedBy(), func(target string) bool { return blocked[target] })
	}
	return err
}

// kept returns the entry with which [Ledger.KeepUrgent] lists the target of an order. If the order lasts as long as the
// root allows, the entry has no expiry. Otherwise it has the expiry of the order.
func (h *orderHistory) kept(order blocklist.Entry) blocklist.Entry {
	if limit := order.Added.Add(h.limits.Longest()); !order.Expires.Before(limit) {
		order.Expires = time.Time{}
	}
	order.Added = time.Time{}
	return order
}

// findOrdered sets Ordered in each signed order.
func (l *Ledger) findOrdered(ctx context.Context, orders []EndingOrder) error {
	for o, err := range l.history.Operations(ctx, ledger.Range{Kinds: []string{KindUrgent}}) {
		if err != nil {
			return err
		}
		lines := urgentLines(o)
		for i := range orders {
			if !orders[i].Waiting && slices.Contains(lines, "+"+orders[i].Target()) {
				orders[i].Ordered = o
			}
		}
	}
	return nil
}

// notIn returns each order whose target would be blocked for a shorter time by the release p than by the order. If p is
// nil, it considers a release made now.
func (l *Ledger) notIn(ctx context.Context, p *Pending, orders []EndingOrder) (missing []EndingOrder, err error) {
	var targets []string
	for _, o := range orders {
		targets = append(targets, o.blockedBy()...)
	}
	listed, err := l.history.Listed(ctx, targets)
	if err == nil && p != nil {
		err = l.revert(ctx, listed, targets)
	}
	if err != nil {
		return nil, err
	}
	for _, o := range orders {
		if !slices.ContainsFunc(o.blockedBy(), func(target string) bool {
			e, ok := listed[target]
			return ok && !e.Monitor && (e.Expires.IsZero() || !e.Expires.Before(o.Expires))
		}) {
			missing = append(missing, o)
		}
	}
	return missing, nil
}

// blockedBy returns all targets whose entries would block the target of the order.
func (o EndingOrder) blockedBy() []string { return append(subjectOf(o.Entry).covers, o.Target()) }

// revert changes the argument listed from the ledger's current entries for these targets to those in the pending
// release.
func (l *Ledger) revert(ctx context.Context, listed map[string]blocklist.Entry, targets []string) error {
	removed := map[string]blocklist.Entry{}
	for c, err := range l.Unprepared(ctx) {
		target := c.Entry.Target()
		switch {
		case err != nil:
			return err
		case !slices.Contains(targets, target):
		case c.Removed:
			removed[target] = c.Entry
		default:
			delete(listed, target)
		}
	}
	maps.Copy(listed, removed)
	return nil
}

// endsMark begins the reference of an operation of [Ledger.EndUrgent]. The reference continues with a hash of each
// order that may end, see [EndingOrder.mark].
const endsMark = "urgent orders end"

// mark returns a short hash that identifies the order in a reference with [endsMark]. An order that is given again with
// other attributes has another one.
func (o EndingOrder) mark() string {
	return fmt.Sprintf("%.12x", sha256.Sum256([]byte(o.Entry.String())))
}

// markAccepted sets Accepted in each order that an operation of [Ledger.EndUrgent] since the last release allows to
// end. A later refusal cancels such an operation.
func (l *Ledger) markAccepted(ctx context.Context, orders []EndingOrder) error {
	last, err := l.history.LastRelease(ctx)
	if err != nil {
		return err
	}
	var accepted []string
	since := ledger.Range{After: last.Operation, Kinds: []string{KindEnd, KindRefuse, KindDiscard}}
	for o, err := range l.history.Operations(ctx, since) {
		if err != nil {
			return err
		}
		if marks, ok := strings.CutPrefix(o.Reference, endsMark); ok {
			accepted = append(accepted, strings.Fields(marks)...)
		}
		if o.Kind != KindEnd {
			accepted = nil
		}
	}
	for i := range orders {
		orders[i].Accepted = slices.Contains(accepted, orders[i].mark())
	}
	return nil
}

// checkEnds fails with an [*EndsError] if [Ledger.Ending] returns orders for p that [Ledger.EndUrgent] has not allowed
// to end.
func (l *Ledger) checkEnds(ctx context.Context, p *Pending) error {
	orders, err := l.Ending(ctx, p)
	orders = slices.DeleteFunc(orders, func(o EndingOrder) bool { return o.Accepted })
	if err == nil && len(orders) > 0 {
		err = &EndsError{orders}
	}
	return err
}

// KeepUrgent adds the targets of urgent orders to the list, so that they stay blocked after the next release. It takes
// the orders that [Ledger.Ending] returns for a release made now, except those that [Ledger.EndUrgent] has allowed to
// end. If targets are given, it takes only the orders on these targets. An order that lasts as long as the root allows
// becomes an entry without expiry. Any other order keeps its expiry. KeepUrgent fails like [Ledger.Add], with
// [ErrNotListed] if one of the targets has no such order, and with [ErrUnchanged] if there is no such order at all.
func (l *Ledger) KeepUrgent(ctx context.Context, targets []string, c Audit) (ChangeResult, error) {
	return l.keepUrgent(ctx, targets, func(o EndingOrder) blocklist.Entry { return o.Kept }, c)
}

// KeepUrgentUntil is [Ledger.KeepUrgent], but all entries get the given expiry, or no expiry if it is zero.
func (l *Ledger) KeepUrgentUntil(ctx context.Context, targets []string, expires time.Time, c Audit) (
	ChangeResult, error,
) {
	return l.keepUrgent(ctx, targets, func(o EndingOrder) blocklist.Entry {
		o.Kept.Expires = expires
		return o.Kept
	}, c)
}

// keepUrgent adds the entry that the function kept returns for each order, see [Ledger.KeepUrgent].
func (l *Ledger) keepUrgent(ctx context.Context, targets []string, kept func(EndingOrder) blocklist.Entry, c Audit) (
	ChangeResult, error,
) {
	orders, err := l.Ending(ctx, nil)
	if err != nil {
		return ChangeResult{}, err
	}
	orders = slices.DeleteFunc(orders, func(o EndingOrder) bool { return o.Accepted })
	for _, target := range targets {
		if !slices.ContainsFunc(orders, func(o EndingOrder) bool { return o.Target() == target }) {
			return ChangeResult{}, fmt.Errorf("keeping the urgent order on %q: %w", target, ErrNotListed)
		}
	}
	var entries []blocklist.Entry
	for _, o := range orders {
		if len(targets) == 0 || slices.Contains(targets, o.Target()) {
			entries = append(entries, kept(o))
		}
	}
	if len(entries) == 0 {
		return ChangeResult{}, fmt.Errorf("keeping urgent orders: %w: the next release lists what they block", ErrUnchanged)
	}
	c.Reason = because(keptOrders.Text, c.Reason)
	return l.Add(ctx, entries, c)
}

// EndUrgent allows the urgent orders on these targets to end with the next release, although that release does not list
// the targets. Before EndUrgent allows it, [Ledger.Release] and [Ledger.Push] fail with an [*EndsError]. The reason in
// c is required, and recorded. EndUrgent fails with [ErrNotListed] if one of the targets has no such order.
func (l *Ledger) EndUrgent(ctx context.Context, targets []string, c Audit) error {
	if c.Reason == "" || len(targets) == 0 {
		return fmt.Errorf("ending urgent orders: %w: a reason is needed", blocklist.ErrMalformed)
	}
	unlock, err := l.history.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	orders, err := l.Ending(ctx, nil)
	if waiting, pendingErr := l.waitingRelease(); waiting != nil && err == nil {
		var more []EndingOrder
		more, err = l.Ending(ctx, waiting)
		orders, err = append(orders, more...), errors.Join(err, pendingErr)
	}
	if err != nil {
		return err
	}
	c.Reference = endsMark
	for _, target := range targets {
		i := slices.IndexFunc(orders, func(o EndingOrder) bool { return o.Target() == target })
		if i < 0 {
			return fmt.Errorf("ending the urgent order on %q: %w", target, ErrNotListed)
		}
		c.Reference += " " + orders[i].mark()
	}
	c.Reason = because(endedOrders.With(listing(targets)).String(), c.Reason)
	return l.history.Record(ctx, KindEnd, c, nil)
}

// CancelUrgent drops the unsigned urgent orders p, which [Ledger.PendingUrgent] has returned. The ledger records their
// targets and the person who has asked for them, with the author and reason of c.
func (l *Ledger) CancelUrgent(ctx context.Context, p *Pending, c Audit) error {
	unlock, err := l.history.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := p.checkUnchanged(); err != nil {
		return fmt.Errorf("cancelling %s: %w", p.What(), err)
	}
	targets := make([]string, len(p.orders))
	for i, e := range p.orders {
		targets[i] = e.Target()
	}
	c.Reason = because(cancelledOrders.With(p.Author, listing(targets)).String(), c.Reason)
	if err := l.history.Record(ctx, KindUrgent, c, nil); err != nil {
		return err
	}
	return os.Remove(p.path)
}

// listing returns targets as text for a reason. If that would be longer than 2 KiB, it returns only their number.
func listing(targets []string) string {
	text := strings.Join(targets, ", ")
	if len(text) > 2<<10 {
		text = fmt.Sprintf("%d targets", len(targets))
	}
	return text
}
