package subscribe

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/subscribe/internal/fetch"
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

// settle returns the urgent orders that are to be enforced with this evidence, and the evidence to be kept in the same step:
// since when they were seen, and whether the guards, as they are set now, refuse them.
func (s *Subscription) settle(e evidence) ([]blocklist.Entry, evidence) {
	entries, seen, err := e.limitOrders(time.Now())
	if err != nil {
		return nil, e // the newest root has ended them
	}
	if err := s.c.Guard.Hold(entries); err != nil {
		s.refuseOrders(context.Background(), e.Chain.Urgent.Bytes(), err)
		e.Chain = e.Chain.RefuseUrgent(*e.Chain.Urgent)
		return nil, e
	}
	e.Seen = seen
	return entries, e
}

// judgeOrders ends the orders in force that the guards, as they are set now, refuse.
func (s *Subscription) judgeOrders() error {
	if _, next := s.settle(s.held); !next.Chain.Equal(s.held.Chain) {
		return s.save(next)
	}
	return nil
}

// limitOrders holds the urgent document to the newest root and to what was seen before: no entries if it is for another
// release, and an error if the root does not allow them or their officer.
func (e evidence) limitOrders(now time.Time) ([]blocklist.Entry, sightings, error) {
	targets, signed := e.Chain.Targets, e.Chain.Urgent
	if e.Root == nil || targets == nil || signed == nil || signed.Serial != uint64(targets.Version) {
		return nil, e.Seen, nil
	}
	spec := *signed
	if err := spec.Verify(e.Root, e.Chain.Key); err != nil {
		return nil, e.Seen, err
	}
	entries, seen, err := e.Root.Spec().Urgent.Limit(spec.Entries, e.Seen.on(targets.Version), now)
	if err != nil {
		return nil, e.Seen, err
	}
	return entries, sightings{Serial: targets.Version, Of: seen}, nil
}

// fetchOrders fetches the urgent orders that the snapshot names, and takes them into the evidence. An error says that they
// could not be had.
func (s *Subscription) fetchOrders(ctx context.Context, o *fetch.Origin, u *trust.Updater, next *evidence) error {
	want, ok := u.Urgent()
	if !ok {
		return nil
	}
	b, err := fetchDocument(ctx, o, want, s.newest().Urgent.Bytes())
	if err == nil && !want.Is(b) {
		err = fmt.Errorf("%w: they are not those that the snapshot names", blocklist.ErrUntrusted)
	}
	if err != nil {
		return fmt.Errorf("urgent orders: %w", err)
	}
	s.takeOrders(ctx, b, next, u.AcceptUrgent)
	return nil
}

// takeBundledOrders takes urgent orders from a bundle into the evidence: an officer has signed them, and they are newer.
func (s *Subscription) takeBundledOrders(ctx context.Context, b []byte, next *evidence) {
	if len(b) == 0 || bytes.Equal(b, next.Chain.Urgent.Bytes()) {
		return
	}
	s.takeOrders(ctx, b, next, func(b []byte) (trust.UrgentSpec, trust.Metadata, error) {
		spec, err := trust.ParseUrgent(b)
		if err != nil {
			return spec, next.Chain, err
		}
		return next.Chain.AcceptUrgent(s.root, spec)
	})
}

// takeOrders takes urgent orders into the evidence. Those that break the rules are refused, and said, but hold up nothing
// else: one officer must not be able to keep a release from subscribers. Refused ones count for rollback, and no more.
func (s *Subscription) takeOrders(ctx context.Context, b []byte, next *evidence, take func([]byte) (trust.UrgentSpec, trust.Metadata, error)) {
	taken := *next
	spec, chain, err := take(b)
	taken.Chain = chain
	if err == nil {
		if err = s.judge(spec, &taken); err != nil {
			taken.Chain = next.Chain.RefuseUrgent(spec)
		}
	}
	if err != nil && next.concerns(b) {
		s.refuseOrders(ctx, b, err)
	}
	*next = taken
}

// judge holds orders to the guards, which nobody can override (that takes the quorum), and to what was seen before.
func (s *Subscription) judge(spec trust.UrgentSpec, taken *evidence) error {
	if err := s.c.Guard.Hold(spec.Entries); err != nil {
		return err
	}
	_, seen, err := taken.limitOrders(time.Now())
	if err == nil {
		taken.Seen = seen
	}
	return err
}

// concerns reports whether orders could be for the release: old ones of an officer who has gone since are no alarm.
func (e evidence) concerns(orders []byte) bool {
	spec, err := trust.ParseUrgent(orders)
	return err != nil || e.Chain.Targets == nil || spec.Serial >= uint64(e.Chain.Targets.Version)
}

// refuseOrders says once why orders are not enforced.
func (s *Subscription) refuseOrders(ctx context.Context, orders []byte, err error) {
	if bytes.Equal(orders, s.refused) {
		return
	}
	s.refused = orders
	s.c.Log.ErrorContext(ctx, "refusing urgent orders", slogErr(err))
}

// sayOrders reports whether the urgent orders have changed, and logs that.
func (s *Subscription) sayOrders(ctx context.Context, before evidence) bool {
	if bytes.Equal(before.Chain.Urgent.Bytes(), s.held.Chain.Urgent.Bytes()) {
		return false
	}
	info, _ := s.store.List(s.c.List)
	s.c.Log.InfoContext(ctx, "enforcing other urgent orders", slog.Int("entries", info.Urgent))
	return true
}
