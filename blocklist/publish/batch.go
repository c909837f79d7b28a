package publish

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/guard"
)

// What a batch holds at most, for it is kept in memory.
const (
	maxBatch      = 1 << 19  // entries
	maxBatchBytes = 64 << 20 // of their lines
)

// batch is a part of what is to be listed. Its entries are judged and logged in the order in which they came, but looked up
// and written in the order of their targets: otherwise each of them costs a read and a write of the disk, once the list is
// longer than the database's cache.
type batch struct {
	limit    int // of entries
	incoming []incoming
	bytes    int
}

// incoming is one entry of a batch.
type incoming struct {
	target, attributes string
	place, expires     any
	found              []guard.Finding
	slot               int32 // of its target
}

// slot is what the list has under one target.
type slot struct {
	held   string // its attributes before the batch
	listed bool   // before the batch
	last   *incoming
}

// attributes returns those after what came so far, and whether there is an entry.
func (s slot) attributes() (string, bool) {
	if s.last != nil {
		return s.last.attributes, true
	}
	return s.held, s.listed
}

// put lists a stream of entries, as far as the guards let them pass. If they are more than a batch, the indexes are left for
// the end: to sort all of them is less work than to put each one in its place.
func (o *operation) put(ctx context.Context, entries iter.Seq2[blocklist.Entry, error], b *batch, c *check, r *ChangeResult, progress func(uint64)) error {
	var read uint64
	long := false
	for e, err := range entries {
		if err == nil && e.Key() == "" {
			err = fmt.Errorf("entry %d: %w: it is empty; blocklist.ParseEntry makes one", read+1, blocklist.ErrMalformed)
		}
		if err != nil {
			return err
		}
		if read++; progress != nil && read%4096 == 0 {
			progress(read)
		}
		if err := b.add(e, c.guard.Entry(e)); err != nil {
			return err
		}
		if len(b.incoming) < b.limit && b.bytes < maxBatchBytes {
			continue
		}
		if !long {
			if _, err := o.tx.ExecContext(ctx, dropIndexes); err != nil {
				return err
			}
		}
		long = true
		if err := o.list(ctx, b, c, r); err != nil {
			return err
		}
	}
	err := o.list(ctx, b, c, r)
	if long && err == nil {
		_, err = o.tx.ExecContext(ctx, schemaIndexes)
	}
	return err
}

func (b *batch) add(e blocklist.Entry, found []guard.Finding) error {
	line := e.String()
	if len(line) > blocklist.MaxLine {
		return fmt.Errorf("entry %.80q: %w: its line is longer than 64 KiB", line, blocklist.ErrTooLarge)
	}
	at := len(e.Target())
	b.bytes += len(line)
	b.incoming = append(b.incoming, incoming{target: line[:at], attributes: line[at:], place: place(e), expires: expires(e), found: found})
	return nil
}

// list lists the entries of a batch and empties it.
func (o *operation) list(ctx context.Context, b *batch, c *check, r *ChangeResult) error {
	slots, targets, err := o.slots(ctx, b.incoming)
	if err != nil {
		return err
	}
	for i := range b.incoming {
		in := &b.incoming[i]
		if err := o.take(ctx, in, &slots[in.slot], c, r); err != nil {
			return err
		}
	}
	for i, s := range slots {
		if s.last == nil {
			continue
		}
		if _, err := o.stmts.put.ExecContext(ctx, targets[i], s.last.attributes, s.last.place, s.last.expires); err != nil {
			return err
		}
	}
	clear(b.incoming)
	b.incoming, b.bytes = b.incoming[:0], 0
	return nil
}

// slots looks up what the list has under each target, in their order.
func (o *operation) slots(ctx context.Context, all []incoming) (slots []slot, targets []string, err error) {
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
	for at := 0; at < len(slots); at += lookups {
		end := min(at+lookups, len(slots))
		if err := o.lookUp(ctx, slots[at:end], targets[at:end]); err != nil {
			return nil, nil, err
		}
	}
	return slots, targets, nil
}

// lookups is the number of targets that are looked up with one statement.
const lookups = 4096

// lookUp fills the slots of targets.
func (o *operation) lookUp(ctx context.Context, slots []slot, targets []string) error {
	array, err := json.Marshal(targets)
	if err != nil {
		return err
	}
	scan := func(rows *sql.Rows) (at int, err error) {
		var attributes string
		if err = rows.Scan(&at, &attributes); err == nil {
			slots[at] = slot{held: attributes, listed: true}
		}
		return at, err
	}
	for _, err := range query(ctx, o.tx, scan, `SELECT t.key, e.attributes FROM json_each(?) AS t CROSS JOIN entries AS e ON e.target = t.value`, string(array)) {
		if err != nil {
			return err
		}
	}
	return nil
}

// take judges one entry, and logs what it changes.
func (o *operation) take(ctx context.Context, in *incoming, s *slot, c *check, r *ChangeResult) error {
	held, listed := s.attributes()
	if len(in.found) > 0 {
		blocks := false
		if listed {
			e, err := readEntry(in.target, held)
			if err != nil {
				return err
			}
			blocks = !e.Monitor
		}
		if !blocks && !c.passes(in.found) {
			return nil
		}
	}
	if listed && held == in.attributes {
		r.Unchanged++
		return nil
	}
	if listed {
		r.Changed++
		if err := o.log(ctx, '-', in.target, held); err != nil {
			return err
		}
	} else {
		r.Added++
	}
	s.last = in
	return o.log(ctx, '+', in.target, in.attributes)
}
