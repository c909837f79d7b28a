package subscribe

import (
	"context"
	"sync"

	"github.com/argine-dns/argine/blocklist/subscribe/internal/fetch"
)

// Run polls until ctx ends, and returns the result of [context.Cause]. It also polls when an origin announces a new
// release or new urgent orders. It merges changes into the set when there are enough, and sends receipts if the Config
// has [Receipts].
func (s *Subscription) Run(ctx context.Context) error {
	var others sync.WaitGroup
	defer others.Wait()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	due := make(chan struct{}, 1)
	r := runner{sub: s, interval: s.c.Interval, log: s.c.Log, mergeDue: due}
	for _, o := range s.origins {
		if o.HasEvents() && !s.c.PollOnly {
			hints := make(chan fetch.Event, 1)
			others.Go(func() { s.listen(ctx, o, hints) })
			others.Go(func() { r.pollOnHints(ctx, o, hints) })
		}
	}
	others.Go(func() { s.mergeWhenDue(ctx, due) })
	if s.c.Receipts != nil {
		others.Go(func() { s.sendReceipts(ctx) })
	}
	return r.run(ctx)
}
