package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// Limits of a batch, which is kept in memory.
const (
	maxBatch      = 1 << 19  // maximum number of entries in a batch
	maxBatchBytes = 64 << 20 // maximum total length of the lines of a batch's entries, in bytes
)

// batch is a part of a stream of entries to be listed. Entries are screened and logged in the order of the stream, but
// looked up and written in the order of their targets. Otherwise, once the list is larger than the database's cache,
// each entry would cost a read and a write of the disk.
type batch struct {
	limit    int // maximum number of entries in this batch
	screen   Screen
	exact    bool      // whether a changed order loses its attributes that the new order does not set
	seen     *sql.Stmt // statement that runs for each target; may be nil
	incoming []incoming
	bytes    int
	counts   Counts // numbers of orders by outcome, in all batches so far
}

// incoming is one entry of a batch.
type incoming struct {
	target, attributes string
	place, expires     any
	admit              func() bool // result of the screen for the entry, see [Screen]
	slot               int32       // index of the target's slot
}

// Screen examines an entry before it is listed. It returns nil if there is no objection. Otherwise it returns a
// function that reports whether the entry may still be listed. That function is not called if the list already blocks
// the target.
type Screen func(blocklist.Entry) (admit func() bool)

// Counts counts the orders of a stream by their outcome.
type Counts struct {
	Added     uint64 // orders for targets that were not listed
	Joined    uint64 // further orders for listed targets
	Changed   uint64 // existing orders that got other attributes
	Unchanged uint64
}

// slot is the state of one target during a batch.
type slot struct {
	orders orders
	last   *incoming // the last incoming entry that changed the orders; nil: none did
	change int64     // ID of the last change; 0: none
	gone   bool      // whether the target was listed in the past, but not at the start of the batch
}

// Put adds the orders of a stream of any length, except those that screen does not admit. If a target is already
// listed, its existing orders stay. If one of them has the same reference as the new order, no order is added: the
// existing one gets the attributes of the new one, and keeps its other attributes. If progress is not nil, Put calls it
// from time to time with the number of orders read.
func (t *Tx) Put(ctx context.Context, entries iter.Seq2[blocklist.Entry, error], screen Screen,
	progress func(uint64),
) (Counts, error) {
	return t.put(ctx, entries, &batch{limit: maxBatch, screen: screen}, progress)
}

// put lists entries in batches. If there is more than one batch, it drops the indexes and makes them again at the end,
// because sorting them once is faster than many single inserts.
func (t *Tx) put(ctx context.Context, entries iter.Seq2[blocklist.Entry, error], b *batch,
	progress func(uint64),
) (Counts, error) {
	read := Counter{Show: progress}
	long := false
	for e, err := range entries {
		if err == nil && e.Key() == "" {
			err = fmt.Errorf("entry %d: %w: it is empty; blocklist.ParseEntry makes one", read.N+1, blocklist.ErrMalformed)
		}
		if err != nil {
			return b.counts, err
		}
		read.Add()
		if err := b.add(e); err != nil {
			return b.counts, err
		}
		if len(b.incoming) < b.limit && b.bytes < maxBatchBytes {
			continue
		}
		if !long {
			if _, err := t.tx.ExecContext(ctx, dropIndexes); err != nil {
				return b.counts, err
			}
		}
		long = true
		if err := t.list(ctx, b); err != nil {
			return b.counts, err
		}
	}
	err := t.list(ctx, b)
	if long && err == nil {
		_, err = t.tx.ExecContext(ctx, schemaIndexes)
	}
	return b.counts, err
}

func (b *batch) add(e blocklist.Entry) error {
	line := e.String()
	if len(line) > blocklist.MaxLine {
		return fmt.Errorf("entry %.80q: %w: its line is longer than 64 KiB", line, blocklist.ErrTooLarge)
	}
	at := len(e.Target())
	b.bytes += len(line)
	b.incoming = append(b.incoming, incoming{
		target: line[:at], attributes: line[at:], place: reversedName(e), expires: expires(e), admit: b.screen(e),
	})
	return nil
}

// list writes the entries of a batch to the ledger and empties the batch.
func (t *Tx) list(ctx context.Context, b *batch) error {
	slots, targets, err := t.slots(ctx, b.incoming)
	if err != nil {
		return err
	}
	for i := range b.incoming {
		in := &b.incoming[i]
		if err := t.apply(ctx, in, &slots[in.slot], b); err != nil {
			return err
		}
	}
	for i := range slots {
		if err := t.store(ctx, targets[i], &slots[i], b.seen); err != nil {
			return err
		}
	}
	clear(b.incoming)
	b.incoming, b.bytes = b.incoming[:0], 0
	return nil
}

// store writes the orders of a target, if they have changed. Before that, it runs the statement in the argument seen
// for the target, even if no order has changed. A nil statement is skipped.
func (t *Tx) store(ctx context.Context, target string, s *slot, seen *sql.Stmt) error {
	if seen != nil {
		if err := exec(ctx, seen, target); err != nil {
			return err
		}
	}
	if s.last == nil {
		return nil
	}
	published, end := s.last.attributes, s.last.expires
	if len(s.orders) > 1 || s.orders[0] != published {
		e, err := s.orders.entry(target)
		if err != nil {
			return err
		}
		published, end = e.String()[len(target):], expires(e)
		if err := t.storeOrders(ctx, target, s.orders); err != nil {
			return err
		}
	}
	if s.gone {
		if err := exec(ctx, t.stmts.removeGone, target); err != nil {
			return err
		}
	}
	return exec(ctx, t.stmts.put, target, published, s.last.place, end, s.change)
}

// slots looks up the state of each target of a batch, in the order of targets.
func (t *Tx) slots(ctx context.Context, all []incoming) (slots []slot, targets []string, err error) {
	order := make([]int32, len(all))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return strings.Compare(all[a].target, all[b].target) })
	for _, i := range order {
		in := &all[i]
		if n := len(targets); n == 0 || targets[n-1] != in.target {
			targets = append(targets, in.target)
		}
		in.slot = int32(len(targets) - 1)
	}
	slots = make([]slot, len(targets))
	return slots, targets, t.lookUp(ctx, slots, targets)
}

// lookups is the number of targets in one lookup statement.
const lookups = 4096

// lookUp fills the slots of targets from the tables entries, orders and gone. It skips empty tables.
func (t *Tx) lookUp(ctx context.Context, slots []slot, targets []string) error {
	var listed, several, gone bool
	if err := t.q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM entries), EXISTS (SELECT 1 FROM orders),
		EXISTS (SELECT 1 FROM gone)`).Scan(&listed, &several, &gone); err != nil {
		return err
	}
	if listed {
		if err := lookUpIn(ctx, t.q, slots, targets, entriesOfMany, (*slot).addEntry); err != nil {
			return err
		}
	}
	if several {
		if err := lookUpIn(ctx, t.q, slots, targets, ordersOfMany, (*slot).addOrder); err != nil {
			return err
		}
	}
	if gone {
		return lookUpIn(ctx, t.q, slots, targets, goneOfMany, (*slot).addGone)
	}
	return nil
}

// lookUpIn runs one of the statements below for all targets. For each row it calls add with the slot of the row's
// target and the row's other columns.
func lookUpIn(ctx context.Context, q querier, slots []slot, targets []string, text string,
	add func(s *slot, attributes string, number int64),
) error {
	for at := 0; at < len(slots); at += lookups {
		scan := func(row scanner) (key int, err error) {
			var attributes string
			var number int64
			if err = row.Scan(&key, &attributes, &number); err == nil {
				add(&slots[at+key], attributes, number)
			}
			return key, err
		}
		for _, err := range query(ctx, q, scan, text, jsonArray(targets[at:min(at+lookups, len(targets))])) {
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// Statements that select the rows of many targets, each row with the index of its target.
const (
	entriesOfMany = `SELECT t.key, e.attributes, e.change FROM json_each(?) AS t CROSS JOIN entries AS e ON e.target = t.value`
	ordersOfMany  = `SELECT t.key, o.attributes, o.number FROM json_each(?) AS t CROSS JOIN orders AS o ON o.target = t.value
		ORDER BY t.key, o.number`
	goneOfMany = `SELECT t.key, '', g.change FROM json_each(?) AS t CROSS JOIN gone AS g ON g.target = t.value`
)

// addEntry adds the target's row of the table entries. The attributes in this row count as those of the only order,
// until [slot.addOrder] replaces it.
func (s *slot) addEntry(attributes string, change int64) {
	s.orders, s.change = orders{attributes}, change
}

// addOrder adds a row of the table orders. The first one replaces the order that [slot.addEntry] added.
func (s *slot) addOrder(attributes string, number int64) {
	if number == 0 {
		s.orders = nil
	}
	s.orders = append(s.orders, attributes)
}

// addGone adds the target's row of the table gone: the ID of its last change.
func (s *slot) addGone(_ string, change int64) { s.change, s.gone = change, true }

// apply adds or changes the order of one incoming entry if the screen admits the entry, and logs the change.
func (t *Tx) apply(ctx context.Context, in *incoming, s *slot, b *batch) error {
	if admitted, err := in.admitted(s.orders); err != nil || !admitted {
		return err
	}
	n := &b.counts
	if slices.Contains(s.orders, in.attributes) {
		n.Unchanged++
		return nil
	}
	after, err := s.orders.with(in.target, in.attributes, b.exact)
	if err != nil {
		return err
	}
	switch {
	case slices.Equal(s.orders, after):
		n.Unchanged++
		return nil
	case len(s.orders) == 0:
		n.Added++
	case len(s.orders) < len(after):
		n.Joined++
	default:
		n.Changed++
	}
	before := s.orders
	s.orders, s.last = after, in
	s.change, err = t.logOrders(ctx, in.target, s.change, before, after)
	return err
}

// admitted reports whether the screen admits a further order for a target. The argument standing has the existing
// orders of the target. If these already block it, admitted returns true without asking the screen.
func (in *incoming) admitted(standing orders) (bool, error) {
	if in.admit == nil {
		return true, nil
	}
	if len(standing) > 0 {
		e, err := standing.entry(in.target)
		if err != nil || !e.Monitor {
			return err == nil, err
		}
	}
	return in.admit(), nil
}
