package blocklist

import (
	"fmt"
	"iter"
	"sync"
)

const (
	batchEntries = 512 // handed over at once
	batches      = 4   // on their way
)

// collect adds entries, in their order. Reading them takes about as long as making their rows, so another goroutine does that.
func (b *builder) collect(entries iter.Seq2[Entry, error]) error {
	if entries == nil {
		return nil
	}
	full, empty := make(chan []target, batches), make(chan []target, batches)
	for range batches {
		empty <- nil
	}
	var adding sync.WaitGroup
	adding.Go(func() {
		for batch := range full {
			for i := range batch {
				b.add(&batch[i])
			}
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

// inHalves does both halves of something at the same time.
func inHalves(do func(half int)) {
	var other sync.WaitGroup
	other.Go(func() { do(1) })
	do(0)
	other.Wait()
}
