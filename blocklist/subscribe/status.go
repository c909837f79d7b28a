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

// Status is the state of a subscription.
type Status struct {
	List    string
	Serial  uint64 // current serial, as lookups see it; 0: none
	Entries uint64
	Digest  blocklist.Digest
	Urgent  int       // number of urgent orders in addition to the release, including expired ones that are not yet withdrawn
	Origin  string    // the origin that answered last
	Checked time.Time // when an origin last proved that Serial is the newest release; zero: not since the start
	Expires time.Time // until when the current metadata counts as fresh; zero: no metadata
	Stale   bool      // whether Expires has passed, or there is no release; the list is still enforced
	Root    time.Time // expiry of the newest root; if the agency does not renew it by then, the list becomes stale
	Err     error     // why the last poll failed; nil: it succeeded, or there was none yet
	Hold    *Hold     // the held release; nil: none
	Held    uint64    // number of releases held by the guards since the start

	// Equivocations is the number of proofs, in the folder of the list, that officers have signed two states of one
	// serial. People must find out which state is right, and then remove the files equivocation-*.json.
	Equivocations int

	Receipts *ReceiptStatus // nil: not configured, or Run has not begun
}

// Status returns the current status. It does not block. Its serial is the one that lookups see.
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

// Watch yields the current status, and then the new status after each change, until ctx ends or the loop ends. Each of
// these is a change: a new release, other urgent orders, a hold or a decision about it, a failed poll with another
// error than before, a successful poll after a failed one, a list that becomes stale or fresh, a root with another
// expiry, a proof of equivocation, and a change of the receipts. A poll that changes only other times or the origin is
// not a change.
//
// The subscription never waits for the loop. A slow loop misses intermediate statuses, but never the last one. To
// wait until the list is in force, leave the loop when Serial is above 0.
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

// wait returns after a change, when the list becomes stale, or when ctx ends.
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

// same reports whether two statuses differ only in the origin and in the times of polls.
func (st Status) same(other Status) bool {
	return st.Serial == other.Serial && st.Digest == other.Digest && st.Urgent == other.Urgent &&
		st.Stale == other.Stale && st.Root.Equal(other.Root) && st.Held == other.Held &&
		st.Equivocations == other.Equivocations && errorText(st.Err) == errorText(other.Err) &&
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

// setStatus changes the status and notifies watchers.
func (s *Subscription) setStatus(change func(*Status)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.status)
	close(s.changed)
	s.changed = make(chan struct{})
}

// pollSucceeded and pollFailed record the result of a poll. They log the first failure, and the first success after a
// failure.
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
	switch {
	case before != nil:
	case s.Status().Serial == 0:
		s.c.Log.Warn("the list can't be fetched so far, and is NOT ENFORCED", slogErr(err))
	default:
		s.c.Log.Warn("keeping the last good list", slogErr(err))
	}
	s.updateStatus()
}

// updateStatus records until when the current list counts as fresh, the expiry of the newest root, and the version of
// the newest urgent orders seen. It logs once when the list becomes stale.
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

// expectFresh records the time until which a serial will count as fresh. Call it before the serial is in force, since
// lookups see the serial before updateStatus runs.
func (s *Subscription) expectFresh(serial uint64, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if info, _ := s.list.InForce(); info.Serial != serial {
		s.freshUntil[serial] = until
	}
}

// rootEndsSoon is the remaining lifetime of a root below which a warning is logged.
const rootEndsSoon = 90 * 24 * time.Hour

// warnOfRoot logs a warning, once for each root, if the newest root expires soon. If it expires, the list becomes
// stale.
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

// Signers returns the names of the officers who have signed the current release, or no names if there is no release.
func (s *Subscription) Signers() (names []string, err error) {
	s.lockNow()
	defer s.refreshing.Unlock()
	if s.held.Metadata.Targets == nil {
		return nil, nil
	}
	signatures, err := trust.CheckSignatures(s.held.Root, s.held.Metadata.Targets.Bytes())
	for _, officer := range signatures.Signed {
		names = append(names, officer.Name)
	}
	return names, err
}
