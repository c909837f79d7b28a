package proposal

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/argine-dns/argine/blocklist/publish"
)

// Activity counts what was done with proposals in a period.
type Activity struct {
	Received  uint64 `json:"received"`
	Checked   uint64 `json:"checked"` // first decisions
	Listed    uint64 `json:"listed"`
	Delisted  uint64 `json:"delisted"`
	Refused   uint64 `json:"refused"`
	Referred  uint64 `json:"referred"`
	Withdrawn uint64 `json:"withdrawn"`
	Alone     uint64 `json:"alone"` // number of those listed and delisted that one person decided on alone
	Waited    Waits  `json:"waited"`
}

// Waits says how long proposals have waited, from reception until they were listed, delisted or refused, in seconds.
type Waits struct {
	Decided uint64 `json:"decided"` // number of decided proposals
	Median  int64  `json:"median_seconds"`
	Ninety  int64  `json:"ninety_percent_seconds"` // 90 % of them waited at most this long
	Longest int64  `json:"longest_seconds"`
}

// IsZero reports whether nothing was done.
func (a Activity) IsZero() bool { return a == Activity{} }

// ReadActivity returns what was done at or after since and before until. A zero time is no limit.
func ReadActivity(ctx context.Context, l *publish.Ledger, since, until time.Time) (a Activity, err error) {
	if a.Received, err = l.History().ProposalsReceived(ctx, since, until); err != nil {
		return a, fmt.Errorf("counting proposals: %w", err)
	}
	numbers := map[string]*uint64{
		Checked: &a.Checked, Listed: &a.Listed, Delisted: &a.Delisted, Refused: &a.Refused, Referred: &a.Referred,
		Withdrawn: &a.Withdrawn,
	}
	var waited []int64
	for d, err := range l.History().ProposalDecisions(ctx, since, until) {
		if err != nil {
			return a, fmt.Errorf("counting decisions: %w", err)
		}
		if n := numbers[d.State]; n != nil {
			*n++
		}
		switch d.State {
		case Listed, Delisted:
			if d.Alone {
				a.Alone++
			}
			fallthrough
		case Refused:
			waited = append(waited, max(int64(d.At.Sub(d.Received).Seconds()), 0))
		}
	}
	a.Waited = waits(waited)
	return a, nil
}

func waits(all []int64) (w Waits) {
	if slices.Sort(all); len(all) > 0 {
		w = Waits{Decided: uint64(len(all)), Median: all[len(all)/2], Ninety: all[len(all)*9/10], Longest: all[len(all)-1]}
	}
	return w
}
