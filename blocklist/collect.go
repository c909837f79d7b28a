package blocklist

import (
	"fmt"
	"iter"
	"sync"
)

const (
	batchEntries = 512 // handed over at once
	batches      = 6   // on their way
)

// collect adds entries, in their order. Reading them takes about as long as making their rows, and as looking at them where
// somebody does, so other goroutines do that.
func (b *builder) collect(entries iter.Seq2[Entry, error]) error {
	if entries == nil {
		return nil
	}
	full, added, empty := make(chan []target, batches), make(chan []target, batches), make(chan []target, batches)
	for range batches {
		empty <- nil
	}
	var adding sync.WaitGroup
	adding.Go(func() {
		defer close(added)
		for batch := range full {
			for i := range batch {
				b.add(&batch[i])
			}
			added <- batch
		}
	})
	adding.Go(func() {
		for batch := range added {
			b.review(batch)
			empty <- batch[:0]
		}
	})
	defer adding.Wait()
	defer close(full)
	batch := <-empty
	for e, err := range entries {
		if err != nil {
			return err
		}
		if !e.consistent() {
			return fmt.Errorf("an entry of scope %s: %w: its target is not of that scope; make entries with ParseEntry or a constructor", e.Scope, ErrMalformed)
		}
		if batch = append(batch, b.target(&e)); len(batch) == batchEntries {
			full <- batch
			batch = <-empty
		}
	}
	full <- batch
	return nil
}

// review shows what is new to whoever wants to see it. All rows of a batch are looked for before anything else is done, so that the
// processor waits for the memory of several at once.
func (b *builder) review(batch []target) {
	if b.fresh == nil {
		return
	}
	var held [batchEntries]bool
	if b.before != nil {
		for i := range batch {
			held[i] = b.before.blocks(batch[i].row)
		}
	}
	for i := range batch {
		if t := &batch[i]; !held[i] {
			b.fresh(Entry{Scope: t.scope, key: t.key, Attributes: Attributes{Monitor: t.monitor}})
		}
	}
}

// inHalves does both halves of something at the same time.
func inHalves(do func(half int)) {
	var other sync.WaitGroup
	other.Go(func() { do(1) })
	do(0)
	other.Wait()
}
