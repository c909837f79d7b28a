package takedown

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist/publish"
)

// PlatformStatus counts the pages referred to one platform, by state.
type PlatformStatus struct {
	Platform  string `json:"platform"`
	Open      uint64 `json:"open"`      // pages in [StateOpen]
	Unchecked uint64 `json:"unchecked"` // open pages that were not checked since they were listed
	Returned  uint64 `json:"returned"`
	Removed   uint64 `json:"removed"`
	UpDay     uint64 `json:"up_day"` // pages that have been open or returned for at most a day
	UpWeek    uint64 `json:"up_week"`
	UpLonger  uint64 `json:"up_longer"`
	// Oldest is the earliest [Referral].Since of the open and returned pages. It is zero if there are none.
	Oldest time.Time `json:"oldest,omitzero"`
}

// up returns the number of pages that are still online, as far as is known.
func (s PlatformStatus) up() uint64 { return s.Open + s.Returned }

// Summary counts the pages in [Referrals] by platform. The platforms with the most open and returned pages come first.
func Summary(ctx context.Context, l *publish.Ledger, p Platforms) ([]PlatformStatus, error) {
	all := map[string]*PlatformStatus{}
	now := time.Now()
	for page, err := range Referrals(ctx, l, p) {
		if err != nil {
			return nil, err
		}
		s := all[page.Platform]
		if s == nil {
			s = &PlatformStatus{Platform: page.Platform}
			all[page.Platform] = s
		}
		s.count(page, now)
	}
	out := make([]PlatformStatus, 0, len(all))
	for _, s := range all {
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b PlatformStatus) int {
		if a.up() != b.up() {
			return int(b.up()) - int(a.up())
		}
		return strings.Compare(a.Platform, b.Platform)
	})
	return out, nil
}

// Add returns the sum of the counts of two platforms, with the name of the first.
func (s PlatformStatus) Add(t PlatformStatus) PlatformStatus {
	s.Open += t.Open
	s.Unchecked += t.Unchecked
	s.Returned += t.Returned
	s.Removed += t.Removed
	s.UpDay += t.UpDay
	s.UpWeek += t.UpWeek
	s.UpLonger += t.UpLonger
	if s.Oldest.IsZero() || !t.Oldest.IsZero() && t.Oldest.Before(s.Oldest) {
		s.Oldest = t.Oldest
	}
	return s
}

func (s *PlatformStatus) count(page Referral, now time.Time) {
	switch page.State {
	case StateRemoved:
		s.Removed++
		return
	case StateReturned:
		s.Returned++
	default:
		s.Open++
	}
	if page.LastCheck.IsZero() {
		s.Unchecked++
	}
	switch age := now.Sub(page.Since); {
	case age <= 24*time.Hour:
		s.UpDay++
	case age <= 7*24*time.Hour:
		s.UpWeek++
	default:
		s.UpLonger++
	}
	if s.Oldest.IsZero() || page.Since.Before(s.Oldest) {
		s.Oldest = page.Since
	}
}
