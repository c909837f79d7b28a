package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// What a batch holds at most, for it is kept in memory.
const (
	maxBatch      = 1 << 19  // entries
	maxBatchBytes = 64 << 20 // of their lines
)

// batch is a part of what is to be listed. Its entries are screened and logged in the order in which they came, but
// looked up and written in the order of their targets: otherwise each of them costs a read and a write of the disk,
// once the list is longer than the database's cache.
type batch struct {
	limit    int // of entries
	screen   Screen
	incoming []incoming
	bytes    int
	counts   Counts // of all batches so far
}

// incoming is one entry of a batch.
type incoming struct {
	target, attributes string
	place, expires     any
	admit              func() bool // see [Screen]
	slot               int32       // of its target
}

// Screen looks at an entry before it is listed. It returns nil if nothing speaks against it. Otherwise it returns a
// function that reports whether it may be listed all the same; it is called unless the list blocks that target already.
type Screen func(blocklist.Entry) (admit func() bool)

// Counts is what became of the entries that were put on the list.
type Counts struct {
	Added     uint64 // new ones
	Changed   uint64 // those whose attributes are other ones now
	Unchanged uint64
}

// slot is what the list has under one target.
type slot struct {
	before string // its attributes before the batch
	listed bool   // before the batch
	last   *incoming
}

// attributes returns those after what came so far, and whether there is an entry.
func (s slot) attributes() (string, bool) {
	if s.last != nil {
		return s.last.attributes, true
	}
	return s.before, s.listed
}

// Put lists a stream of entries of any length, as far as screen admits them. An entry that is there with other
// attributes gets the new ones. Progress, if it is not nil, is called now and then with the number of entries read.
func (t *Tx) Put(ctx context.Context, entries iter.Seq2[blocklist.Entry, error], screen Screen,
	progress func(uint64)) (Counts, error) {
	return t.put(ctx, entries, &batch{limit: maxBatch, screen: screen}, progress)
}

// put lists entries in batches. If they are more than one batch, the indexes are left for the end: to sort all of them
// is less work than to put each one in its place.
func (t *Tx) put(ctx context.Context, entries iter.Seq2[blocklist.Entry, error], b *batch,
	progress func(uint64)) (Counts, error) {
	var read uint64
	long := false
	for e, err := range entries {
		if err == nil && e.Key() == "" {
			err = fmt.Errorf("entry %d: %w: it is empty; blocklist.ParseEntry makes one", read+1, blocklist.ErrMalformed)
		}
		if err != nil {
			return b.counts, err
		}
		if read++; progress != nil && read%4096 == 0 {
			progress(read)
		}
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

// list lists the entries of a batch and empties it.
func (t *Tx) list(ctx context.Context, b *batch) error {
	slots, targets, err := t.slots(ctx, b.incoming)
	if err != nil {
		return err
	}
	for i := range b.incoming {
		in := &b.incoming[i]
		if err := t.apply(ctx, in, &slots[in.slot], &b.counts); err != nil {
			return err
		}
	}
	for i, s := range slots {
		if s.last == nil {
			continue
		}
		if _, err := t.stmts.put.ExecContext(ctx, targets[i], s.last.attributes, s.last.place, s.last.expires); err != nil {
			return err
		}
	}
	clear(b.incoming)
	b.incoming, b.bytes = b.incoming[:0], 0
	return nil
}

// slots looks up what the list has under each target, in their order.
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
	for at := 0; at < len(slots); at += lookups {
		end := min(at+lookups, len(slots))
		if err := t.lookUp(ctx, slots[at:end], targets[at:end]); err != nil {
			return nil, nil, err
		}
	}
	return slots, targets, nil
}

// lookups is the number of targets that are looked up with one statement.
const lookups = 4096

// lookUp fills the slots of targets.
func (t *Tx) lookUp(ctx context.Context, slots []slot, targets []string) error {
	array, err := json.Marshal(targets)
	if err != nil {
		return err
	}
	scan := func(row scanner) (at int, err error) {
		var attributes string
		if err = row.Scan(&at, &attributes); err == nil {
			slots[at] = slot{before: attributes, listed: true}
		}
		return at, err
	}
	for _, err := range query(ctx, t.q, scan, `SELECT t.key, e.attributes FROM json_each(?) AS t CROSS JOIN entries AS e ON e.target = t.value`, string(array)) {
		if err != nil {
			return err
		}
	}
	return nil
}

// apply lists one entry, unless it is screened out, and logs what it changes.
func (t *Tx) apply(ctx context.Context, in *incoming, s *slot, n *Counts) error {
	attributes, listed := s.attributes()
	if in.admit != nil {
		blocks := false
		if listed {
			e, err := parseEntry(in.target, attributes)
			if err != nil {
				return err
			}
			blocks = !e.Monitor
		}
		if !blocks && !in.admit() {
			return nil
		}
	}
	if listed && attributes == in.attributes {
		n.Unchanged++
		return nil
	}
	if listed {
		n.Changed++
		if err := t.log(ctx, '-', in.target, attributes); err != nil {
			return err
		}
	} else {
		n.Added++
	}
	s.last = in
	return t.log(ctx, '+', in.target, in.attributes)
}
