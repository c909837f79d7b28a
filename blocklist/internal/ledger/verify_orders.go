package ledger

import (
	"context"
	"database/sql"
	"iter"
	"slices"
)

// verifyOrders verifies that the published lines follow from the orders after each operation, and that the table of
// orders has exactly the current orders. It reads only targets that have or had several orders. For other targets, the
// published line is the only order.
func (v View) verifyOrders(ctx context.Context) error {
	ends, err := collect(query(ctx, v.q, scanOperationEnd, operationEnds))
	if err != nil {
		return err
	}
	next, stop := iter.Pull2(query(ctx, v.q, scanOrderRow, `SELECT target, number, attributes, expires FROM orders ORDER BY target, number`))
	defer stop()
	proof := ordersProof{next: next}
	for c, err := range query(ctx, v.q, counting(v.read, scanChangeRow), changesOfOrders) {
		if err != nil {
			return err
		}
		operation := operationOf(ends, c.id)
		if c.target != proof.target || operation != proof.operation {
			if err := proof.end(c.target != proof.target); err != nil {
				return err
			}
			proof.operation = operation
		}
		if err := proof.add(c); err != nil {
			return err
		}
	}
	if err := proof.end(true); err != nil {
		return err
	}
	if row, err, more := next(); more {
		return orDamaged(err, "an order of %.80q follows from no operation", row.target)
	}
	return nil
}

// changesOfOrders selects the changes of all targets that have changes of orders.
const changesOfOrders = changesOf + `SELECT DISTINCT target FROM changes WHERE ` + orderSigns + changesEnd + ` ORDER BY target, id`

// orderRow is a row of the table orders.
type orderRow struct {
	target, attributes string
	number             int
	expires            sql.NullInt64
}

func scanOrderRow(row scanner) (r orderRow, err error) {
	return r, row.Scan(&r.target, &r.number, &r.attributes, &r.expires)
}

// ordersProof is one run of [View.verifyOrders]: it replays the changes of one target after another.
type ordersProof struct {
	target    string
	operation int64
	orders    orders
	published []string // attributes of the published line, as the only element; empty: not listed
	next      func() (orderRow, error, bool)
}

func (p *ordersProof) add(c changeRow) (err error) {
	p.target = c.target
	switch c.sign {
	case signAdded:
		p.published = []string{c.attributes}
	case signRemoved:
		p.published = nil
	}
	p.orders, err = p.orders.replay(c)
	return err
}

// end verifies the published line after the changes of an operation. If they are the last changes of the target, it
// also verifies the table of orders, and forgets the target.
func (p *ordersProof) end(last bool) error {
	if len(p.orders) != 0 || len(p.published) != 0 {
		published, err := p.orders.published(p.target)
		if err != nil {
			return err
		}
		if len(p.orders) == 0 || !slices.Equal(p.published, []string{published}) {
			return Damaged("the line of %.80q after operation %d does not follow from its orders", p.target, p.operation)
		}
	}
	if !last {
		return nil
	}
	standing := p.orders
	p.orders, p.published = nil, nil
	if len(standing) < 2 {
		return nil
	}
	return p.compare(standing)
}

// compare fails unless the given orders for the target are the next rows of the table of orders.
func (p *ordersProof) compare(standing orders) error {
	lines, err := standing.parse(p.target)
	if err != nil {
		return err
	}
	for i, o := range lines {
		end, ends := expires(o).(int64)
		want := orderRow{p.target, standing[i], i, sql.NullInt64{Int64: end, Valid: ends}}
		row, err, more := p.next()
		if err != nil || !more || row != want {
			odd := p.target
			if more && row.target < odd {
				odd = row.target
			}
			return orDamaged(err, "the orders of %.80q are not those that the history has led to", odd)
		}
	}
	return nil
}

// orDamaged returns err, or, if err is nil, the error that [Damaged] returns.
func orDamaged(err error, format string, args ...any) error {
	if err != nil {
		return err
	}
	return Damaged(format, args...)
}
