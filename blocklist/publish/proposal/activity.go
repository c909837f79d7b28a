package proposal

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/argine-dns/argine/blocklist/publish"
)

// Activity counts the new proposals and the decisions of a period.
type Activity struct {
	Received  uint64 `json:"received"`
	Checked   uint64 `json:"checked"` // approvals by a first person
	Listed    uint64 `json:"listed"`
	Delisted  uint64 `json:"delisted"`
	Refused   uint64 `json:"refused"`
	Referred  uint64 `json:"referred"`
	Withdrawn uint64 `json:"withdrawn"`
	Alone     uint64 `json:"alone"` // listed and delisted proposals that one person decided on alone
	Waited    Waits  `json:"waited"`
}

// Waits says how long decided proposals have waited, in seconds: from their reception until they were listed, delisted
// or refused.
type Waits struct {
	Decided uint64 `json:"decided"` // number of proposals that were listed, delisted or refused
	Median  int64  `json:"median_seconds"`
	Ninety  int64  `json:"ninety_percent_seconds"` // 90 % of the decided proposals waited at most this number of seconds
	Longest int64  `json:"longest_seconds"`
}

// IsZero reports whether there were no new proposals and no decisions.
func (a Activity) IsZero() bool { return a == Activity{} }

// ReadActivity counts the activity of a period: from the argument begin up to, but not including, the argument end. A
// zero time means no limit.
func ReadActivity(ctx context.Context, l *publish.Ledger, begin, end time.Time) (a Activity, err error) {
	if a.Received, err = l.History().ProposalsReceived(ctx, begin, end); err != nil {
		return a, fmt.Errorf("counting proposals: %w", err)
	}
	numbers := map[string]*uint64{
		Checked: &a.Checked, Listed: &a.Listed, Delisted: &a.Delisted, Refused: &a.Refused, Referred: &a.Referred,
		Withdrawn: &a.Withdrawn,
	}
	var waited []int64
	for d, err := range l.History().ProposalDecisions(ctx, begin, end) {
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
