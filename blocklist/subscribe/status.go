package subscribe

import (
	"context"
	"iter"
	"log/slog"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/subscribe/internal/fetch"
)

// Status of a subscription.
type Status struct {
	List    string
	Serial  uint64 // in force, as lookups see it; 0 if nothing is
	Entries uint64
	Digest  blocklist.Digest
	Urgent  int       // entries of urgent orders on top of the release, ended ones included until they are withdrawn
	Origin  string    // that answered last
	Checked time.Time // last time an origin proved that this is the newest; zero: not since the start
	Expires time.Time // until when what is held may be taken for the newest; zero: nothing is held
	Stale   bool      // Expires has passed, or nothing is held. The list is enforced all the same.
	Root    time.Time // until when the newest root is valid: the agency has to renew it before, else the list becomes stale
	Err     error     // why the last try failed; nil if it did not
	Hold    *Hold     // what the guards have stopped; nil if nothing
	Held    uint64    // releases that the guards have stopped since the start

	Receipts *ReceiptStatus // nil if none are given, or Run has not begun
}

// Status returns how the subscription is doing. It waits for nothing, and is as new as what lookups see.
func (s *Subscription) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.status
	st.List = s.c.List
	info, _ := s.list.InForce()
	st.Serial, st.Entries, st.Digest, st.Urgent = info.Serial, info.Entries, info.Digest, info.Urgent
	st.Expires = s.freshUntil[info.Serial]
	st.Stale = st.Serial == 0 || time.Now().After(st.Expires)
	if st.Hold != nil {
		hold := *st.Hold
		st.Hold = &hold
	}
	if st.Receipts != nil {
		receipts := *st.Receipts
		st.Receipts = &receipts
	}
	return st
}

// Watch yields the status at once, and again whenever it has changed, until ctx ends or the loop is left: a new release or
// urgent orders in force, a hold or a decision about it, a failed poll and the next good one, staleness, receipts. Polls
// that change nothing but their own times are left out.
//
// The subscription never waits for the loop. A slow one misses statuses in between, and never the last one. To wait until
// the list is in force, leave the loop when Serial is above 0.
func (s *Subscription) Watch(ctx context.Context) iter.Seq[Status] {
	return func(yield func(Status) bool) {
		var last Status
		for first := true; ctx.Err() == nil; first = false {
			s.mu.Lock()
			changed := s.changed
			s.mu.Unlock()
			st := s.Status()
			if (first || !st.same(last)) && !yield(st) {
				return
			}
			last = st
			wait(ctx, changed, st)
		}
	}
}

// wait waits for a change, or until the list becomes stale.
func wait(ctx context.Context, changed <-chan struct{}, st Status) {
	var stale <-chan time.Time
	if !st.Stale {
		timer := time.NewTimer(time.Until(st.Expires) + 1)
		defer timer.Stop()
		stale = timer.C
	}
	select {
	case <-ctx.Done():
	case <-changed:
	case <-stale:
	}
}

// same reports whether two statuses differ in nothing but the times of polls.
func (st Status) same(other Status) bool {
	return st.Serial == other.Serial && st.Digest == other.Digest && st.Urgent == other.Urgent && st.Stale == other.Stale &&
		st.Root.Equal(other.Root) && st.Held == other.Held && errorText(st.Err) == errorText(other.Err) &&
		st.Hold.same(other.Hold) && st.Receipts.same(other.Receipts)
}

func (h *Hold) same(other *Hold) bool {
	if h == nil || other == nil {
		return h == other
	}
	return h.ID == other.ID && h.Rejected == other.Rejected
}

func (r *ReceiptStatus) same(other *ReceiptStatus) bool {
	if r == nil || other == nil {
		return r == other
	}
	return r.Serial == other.Serial && r.Waiting == other.Waiting && errorText(r.Err) == errorText(other.Err)
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// setStatus changes the status, and wakes those who watch it.
func (s *Subscription) setStatus(change func(*Status)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.status)
	close(s.changed)
	s.changed = make(chan struct{})
}

// pollSucceeded and pollFailed record how a poll ended; only a change is logged.
func (s *Subscription) pollSucceeded(o *fetch.Origin) {
	var before error
	s.setStatus(func(st *Status) {
		before = st.Err
		st.Err, st.Origin, st.Checked = nil, o.Name, time.Now()
	})
	if before != nil {
		s.c.Log.Info("the list is followed again", slog.String("origin", o.Name))
	}
	s.updateStatus()
}

func (s *Subscription) pollFailed(err error) {
	var before error
	s.setStatus(func(st *Status) { before, st.Err = st.Err, err })
	if before == nil {
		s.c.Log.Warn("keeping the last good list", slogErr(err))
	}
	s.updateStatus()
}

// updateStatus records until when the list in force is fresh, and logs once when that has passed.
func (s *Subscription) updateStatus() {
	root := s.root.Spec().Expires
	until := s.held.expires(root)
	stale := !until.IsZero() && time.Now().After(until)
	info, _ := s.list.InForce()
	raise := false
	s.setStatus(func(st *Status) {
		raise, s.staleLogged = stale && !s.staleLogged, stale
		s.freshUntil, st.Root = map[uint64]time.Time{info.Serial: until}, root
		for _, seen := range [][]byte{s.newestMetadata().Urgent.Bytes(), s.refusedUrgent} {
			if orders, err := trust.ParseUrgent(seen); err == nil {
				s.urgent = max(s.urgent, orders.Version)
			}
		}
	})
	s.warnOfRoot()
	if raise {
		s.c.Log.Error("the list is stale: no origin proves what the newest release is", slog.Time("expired", until))
	}
}

// expectFresh records until when a serial is fresh that is about to be put in force: lookups see it before updateStatus can.
func (s *Subscription) expectFresh(serial uint64, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if info, _ := s.list.InForce(); info.Serial != serial {
		s.freshUntil[serial] = until
	}
}

// rootEndsSoon is how long before the end of a root it is warned of.
const rootEndsSoon = 90 * 24 * time.Hour

// warnOfRoot logs once of each root that it ends soon: without another one, the list becomes stale then.
func (s *Subscription) warnOfRoot() {
	root := s.root.Spec()
	s.mu.Lock()
	warn := s.warned < root.Version && time.Until(root.Expires) < rootEndsSoon
	if warn {
		s.warned = root.Version
	}
	s.mu.Unlock()
	if warn {
		s.c.Log.Warn("the list's root ends soon: the agency has to renew it", slog.Int64("root", root.Version), slog.Time("expires", root.Expires))
	}
}
