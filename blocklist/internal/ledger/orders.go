package ledger

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
)

// Signs of changes. Lines with signAdded and signRemoved are lines of the published list. Lines with the other signs
// are orders; they are written only for a target that has several orders before or after the change. So a list whose
// entries have one order each has a history without such lines.
//
//	+line  the line is listed; unless it is the line of an existing order, it becomes the only order
//	-line  the line is no longer listed; if it is the line of the only order, that order is withdrawn
//	&line  the order is given, or the existing order with the same reference is changed
//	~line  the order is withdrawn
const (
	signAdded     = "+"
	signRemoved   = "-"
	signOrder     = "&"
	signWithdrawn = "~"
)

// changeRow is a row of the table changes.
type changeRow struct {
	id                       int64
	sign, target, attributes string
}

func scanChangeRow(row scanner) (c changeRow, err error) {
	return c, row.Scan(&c.id, &c.sign, &c.target, &c.attributes)
}

// orders has the attributes of the orders for one target, oldest first. No two orders have the same reference. A target
// without orders is not listed.
type orders []string

// parse returns the orders as entries with the given target.
func (s orders) parse(target string) ([]blocklist.Entry, error) {
	lines := make([]blocklist.Entry, len(s))
	for i, attributes := range s {
		var err error
		if lines[i], err = parseEntry(target, attributes); err != nil {
			return nil, err
		}
	}
	return lines, nil
}

// published returns the attributes of the published line, empty if there are no orders. See [Published].
func (s orders) published(target string) (string, error) {
	if len(s) < 2 {
		return strings.Join(s, ""), nil
	}
	lines, err := s.parse(target)
	if err != nil {
		return "", err
	}
	return s[Published(lines)], nil
}

// entry returns the published entry. There must be at least one order.
func (s orders) entry(target string) (blocklist.Entry, error) {
	published, err := s.published(target)
	if err != nil {
		return blocklist.Entry{}, err
	}
	return parseEntry(target, published)
}

// Published returns the index of the order whose line is published. Among the orders that block, or among all if none
// blocks, it is the one with the latest expiry; among several of these, the oldest. There must be at least one order,
// and they must be sorted by age, oldest first.
//
// The reference and the expiry of the published line come from the same order. The line expires no later than one of
// the orders does, and a further order changes it only if this order lasts longer.
func Published(standing []blocklist.Entry) (strongest int) {
	for i, o := range standing {
		if stronger(o, standing[strongest]) {
			strongest = i
		}
	}
	return strongest
}

func stronger(a, b blocklist.Entry) bool {
	if a.Monitor != b.Monitor {
		return b.Monitor
	}
	if a.Expires.IsZero() || b.Expires.IsZero() {
		return !b.Expires.IsZero()
	}
	return a.Expires.After(b.Expires)
}

// References returns the references of orders as a phrase for a sentence.
func References(standing []blocklist.Entry) string {
	names := make([]string, len(standing))
	for i, o := range standing {
		if names[i] = fmt.Sprintf("%q", o.Reference); o.Reference == "" {
			names[i] = "an order without reference"
		}
	}
	return strings.Join(names, ", ")
}

// find returns the index and the line of the order with the given reference. The index is -1 if there is none.
func (s orders) find(target, reference string) (int, blocklist.Entry, error) {
	lines, err := s.parse(target)
	if err != nil {
		return -1, blocklist.Entry{}, err
	}
	for i, o := range lines {
		if o.Reference == reference {
			return i, o, nil
		}
	}
	return -1, blocklist.Entry{}, nil
}

// without returns the orders except the one at index i.
func (s orders) without(i int) orders { return slices.Delete(slices.Clone(s), i, i+1) }

// set returns the orders after the given one was added. It replaces an existing order with the same reference, or
// otherwise comes last.
func (s orders) set(target, attributes string) (orders, error) {
	e, err := parseEntry(target, attributes)
	if err != nil {
		return nil, err
	}
	i, _, err := s.find(target, e.Reference)
	if err != nil {
		return nil, err
	}
	if i < 0 {
		return append(slices.Clip(s), attributes), nil
	}
	changed := slices.Clone(s)
	changed[i] = attributes
	return changed, nil
}

// replay returns the orders after one recorded change. It fails with [blocklist.ErrDamaged] if the change withdraws an
// order that is not among them.
func (s orders) replay(c changeRow) (orders, error) {
	at := slices.Index(s, c.attributes)
	switch {
	case c.sign == signOrder:
		return s.set(c.target, c.attributes)
	case c.sign == signWithdrawn && at >= 0:
		return s.without(at), nil
	case c.sign == signWithdrawn:
		return nil, Damaged("change %d withdraws an order that does not stand (%.80q)", c.id, c.target+c.attributes)
	case c.sign == signAdded && at < 0:
		return orders{c.attributes}, nil
	case c.sign == signRemoved && at >= 0 && len(s) == 1:
		return nil, nil
	}
	return s, nil
}

// with returns the orders with the given order added at the end. If there is already an order with the same reference,
// it gets the given attributes instead. If exact is false, it also keeps its attributes of the kinds that the given
// order does not have.
func (s orders) with(target, attributes string, exact bool) (orders, error) {
	if len(s) == 0 {
		return orders{attributes}, nil
	}
	e, err := parseEntry(target, attributes)
	if err != nil {
		return nil, err
	}
	i, standing, err := s.find(target, e.Reference)
	if err != nil {
		return nil, err
	}
	if i >= 0 && !exact {
		e.Attributes = e.Or(standing.Attributes)
		attributes = e.String()[len(target):]
	}
	return s.set(target, attributes)
}

// Orders returns the orders for a target, oldest first. There are none if the target is not listed.
func (v View) Orders(ctx context.Context, target string) ([]blocklist.Entry, error) {
	standing, err := collect(query(ctx, v.q, scanText, ordersOf, target))
	if err != nil {
		return nil, err
	}
	return orders(standing).parse(target)
}

// ordersOf selects the orders for a target: the rows of the target in the table orders. If there are none, it selects
// the only order, which is in the table entries.
const ordersOf = `SELECT attributes FROM (
	SELECT number, attributes FROM orders WHERE target = ?1
	UNION ALL
	SELECT 0, attributes FROM entries WHERE target = ?1 AND NOT EXISTS (SELECT 1 FROM orders WHERE target = ?1)
) ORDER BY number`

func scanText(row scanner) (text string, err error) { return text, row.Scan(&text) }

// collect returns the values of an iterator as a slice. It stops at the first error.
func collect[T any](all iter.Seq2[T, error]) (values []T, err error) {
	for v, err := range all {
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}

// OrdersWith yields the orders of all targets that have the given reference.
func (v View) OrdersWith(ctx context.Context, reference string) iter.Seq2[blocklist.Entry, error] {
	part := blocklist.Entry{Attributes: blocklist.Attributes{Reference: reference}}.String()
	return v.selectOrders(ctx, func(o blocklist.Entry) bool { return o.Reference == reference }, `
		SELECT target, attributes FROM entries WHERE instr(attributes, ?1) > 0 AND `+single+`
		UNION ALL SELECT target, attributes FROM orders WHERE instr(attributes, ?1) > 0`, part)
}

// OrdersDue yields the orders whose expiry or review is at or before the given date.
func (v View) OrdersDue(ctx context.Context, date time.Time) iter.Seq2[blocklist.Entry, error] {
	due := func(t time.Time) bool { return !t.IsZero() && !t.After(date) }
	return v.selectOrders(ctx, func(o blocklist.Entry) bool { return due(o.Expires) || due(o.Review) }, `
		SELECT target, attributes FROM entries WHERE expires <= ?1 AND `+single+`
		UNION ALL SELECT target, attributes FROM entries INDEXED BY entries_review
			WHERE `+hasReview+` AND (expires IS NULL OR expires > ?1) AND `+single+`
		UNION ALL SELECT target, attributes FROM orders`, date.Unix())
}

// single is the SQL condition for entries with only one order.
const single = `NOT EXISTS (SELECT 1 FROM orders WHERE orders.target = entries.target)`

// selectOrders yields the orders that a statement selects and for which the function meets returns true.
func (v View) selectOrders(ctx context.Context, meets func(blocklist.Entry) bool, text string, args ...any,
) iter.Seq2[blocklist.Entry, error] {
	return func(yield func(blocklist.Entry, error) bool) {
		for o, err := range query(ctx, v.q, scanEntry, text, args...) {
			if (err != nil || meets(o)) && !yield(o, err) {
				return
			}
		}
	}
}

// orderChanges returns the changes that lead from the old orders of a target to the current ones.
func orderChanges(target string, old, current orders) (changes []changeRow, err error) {
	lines, err := old.parse(target)
	if err != nil {
		return nil, err
	}
	for i, o := range lines {
		at, _, err := current.find(target, o.Reference)
		if err != nil {
			return nil, err
		}
		if at < 0 {
			changes = append(changes, changeRow{sign: signWithdrawn, target: target, attributes: old[i]})
		}
	}
	for _, attributes := range current {
		if !slices.Contains(old, attributes) {
			changes = append(changes, changeRow{sign: signOrder, target: target, attributes: attributes})
		}
	}
	return changes, nil
}
