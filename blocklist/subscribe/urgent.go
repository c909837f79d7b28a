package subscribe

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// sightings are the targets that were ordered urgently on top of one release, and when each was seen first.
type sightings struct {
	Serial int64            `json:"serial"`
	Of     []trust.Sighting `json:"of,omitempty"`
}

// on returns the sightings on top of a serial: with a new release, counting begins anew.
func (s sightings) on(serial int64) []trust.Sighting {
	if s.Serial != serial {
		return nil
	}
	return s.Of
}

// orders returns the entries of urgent orders that are to be enforced: none if the newest root does not allow them or
// their officer, or if they are for another release.
func (e evidence) orders() []blocklist.Entry {
	entries, _, err := e.limitOrders(time.Now())
	if err != nil {
		return nil
	}
	return entries
}

// limitOrders holds the urgent document to the newest root and to what was seen before.
func (e evidence) limitOrders(now time.Time) ([]blocklist.Entry, sightings, error) {
	if len(e.Chain.Urgent) == 0 {
		return nil, e.Seen, nil
	}
	targets, err := trust.ParseTargets(e.Chain.Targets)
	if err != nil {
		return nil, e.Seen, err
	}
	spec, err := trust.ParseUrgent(e.Chain.Urgent)
	if err != nil || spec.Serial != uint64(targets.Version) {
		return nil, e.Seen, err
	}
	root, err := e.root()
	if err != nil {
		return nil, e.Seen, err
	}
	if spec, err = trust.OpenUrgent(root, e.Chain.Urgent, e.Chain.Key); err != nil {
		return nil, e.Seen, err
	}
	entries, seen, err := root.Spec().Urgent.Limit(spec.Entries, e.Seen.on(targets.Version), now)
	if err != nil {
		return nil, e.Seen, err
	}
	return entries, sightings{Serial: targets.Version, Of: seen}, nil
}

// fetchOrders fetches the urgent orders that the snapshot names, and takes them into the evidence. An error says that they
// could not be had.
func (s *Subscription) fetchOrders(ctx context.Context, o *origin, w *trust.Walk, next *evidence) error {
	want, ok := w.Urgent()
	if !ok {
		return nil
	}
	b, err := o.wanted(ctx, want, s.newest().Urgent)
	if err == nil && !want.Is(b) {
		err = fmt.Errorf("%w: they are not those that the snapshot names", blocklist.ErrUntrusted)
	}
	if err != nil {
		return fmt.Errorf("urgent orders: %w", err)
	}
	s.takeOrders(ctx, b, next, w.TakeUrgent)
	return nil
}

// takeBundledOrders takes urgent orders from a bundle into the evidence: an officer has signed them, and they are newer.
func (s *Subscription) takeBundledOrders(ctx context.Context, b []byte, next *evidence) {
	if len(b) == 0 || bytes.Equal(b, next.Chain.Urgent) {
		return
	}
	s.takeOrders(ctx, b, next, func(b []byte) (trust.UrgentSpec, trust.Chain, error) {
		return next.Chain.TakeUrgent(s.root, b)
	})
}

// takeOrders takes urgent orders into the evidence. Those that break the rules are refused, and said, but hold up nothing
// else: one officer must not be able to keep a release from subscribers.
func (s *Subscription) takeOrders(ctx context.Context, b []byte, next *evidence, take func([]byte) (trust.UrgentSpec, trust.Chain, error)) {
	taken := *next
	spec, chain, err := take(b)
	if err == nil {
		err = s.c.Guard.Hold(spec.Entries) // nobody can let them pass: that takes the quorum
	}
	if err == nil {
		taken.Chain = chain
		_, taken.Seen, err = taken.limitOrders(time.Now())
	}
	if err != nil {
		if next.concerns(b) {
			s.refuseOrders(ctx, b, err)
		}
		return
	}
	*next = taken
}

// concerns tells whether orders could be for the release: old ones of an officer who has gone since are no alarm.
func (e evidence) concerns(orders []byte) bool {
	targets, _ := trust.ParseTargets(e.Chain.Targets)
	spec, err := trust.ParseUrgent(orders)
	return err != nil || spec.Serial >= uint64(targets.Version)
}

// refuseOrders says once why orders are not enforced.
func (s *Subscription) refuseOrders(ctx context.Context, orders []byte, err error) {
	if bytes.Equal(orders, s.refused) {
		return
	}
	s.refused = orders
	s.c.Log.ErrorContext(ctx, "refusing urgent orders", slogErr(err))
}

// sayOrders tells whether the urgent orders have changed, and logs that.
func (s *Subscription) sayOrders(ctx context.Context, before evidence) bool {
	if bytes.Equal(before.Chain.Urgent, s.held.Chain.Urgent) {
		return false
	}
	s.c.Log.InfoContext(ctx, "enforcing other urgent orders", slog.Int("entries", len(s.held.orders())))
	return true
}
