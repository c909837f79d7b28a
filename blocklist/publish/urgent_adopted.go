package publish

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// validOrders returns the newest document of urgent orders. It returns nil if there is none, or if this root does not
// accept its signature or does not allow urgent orders.
func (l *Ledger) validOrders(ctx context.Context, root *trust.Root) ([]byte, error) {
	h, err := l.orderHistory(ctx)
	if err != nil || h.newest == 0 {
		return nil, err
	}
	doc, err := os.ReadFile(l.path(urgentDir, trust.UrgentName(h.newest)))
	if err != nil {
		return nil, err
	}
	if _, err := trust.OpenUrgent(root, doc, nil); err != nil {
		return nil, nil //nolint:nilerr // see above
	}
	return doc, nil
}

// adoptOrders replaces the stored urgent orders by those of an origin. It does so if the origin's orders are newer, or
// have the same number but other content. A ledger that was restored from a backup may not know such orders. They can
// also come from another officer, or from a thief with an officer's key. Once they are in the ledger, people can see
// and withdraw them. adoptOrders always returns an error, which says that the orders were replaced, or why they were
// not.
func (l *Ledger) adoptOrders(ctx context.Context, from *trust.OrdersError, c Audit) error {
	h, err := l.orderHistory(ctx)
	if err != nil {
		return err
	}
	spec, err := trust.OpenUrgent(h.root, from.Held, h.key)
	if err == nil && (spec.Serial != h.serial || spec.Number() < h.number) {
		err = fmt.Errorf("%w: number %d on serial %d is older than what is here", blocklist.ErrRollback, spec.Number(), spec.Serial)
	}
	if err != nil {
		return fmt.Errorf("the origin refuses these urgent orders (%w), and its own can't be taken: %w; the next release ends them", from, err)
	}
	signed, err := trust.CheckSignatures(h.root, from.Held)
	if err != nil {
		return err
	}
	orders := Messages{signedOrders.With(spec.Number(), spec.Serial), adoptedOrders.With(strings.Join(names(signed.Signed), ", "), c.Reason)}
	c.Reason = orders.String()
	if err := l.history.Record(ctx, KindUrgent, c, nil); err != nil {
		return err
	}
	if err := l.keepOrders(spec.Version, from.Held); err != nil {
		return err
	}
	return fmt.Errorf("%w: the origin had %s; they are in %s now: look at them with blocklist urgent list, order or withdraw again, and push again",
		from, c.Reason, l.path(urgentDir))
}
