package takedown

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/publish"
)

// Check is the result of a visit to a listed page: whether the platform has taken it down.
type Check struct {
	Page    blocklist.Entry // of scope url
	Removed bool            // the page is gone
	Checked time.Time
}

// Result counts the outcome of recording checks.
type Result struct {
	Recorded  uint64   `json:"recorded"`
	Unchanged uint64   `json:"unchanged"`          // already recorded with this result
	NotListed uint64   `json:"not_listed"`         // pages left out because they are not on the list
	Unlisted  []string `json:"unlisted,omitempty"` // the first pages that are not listed
}

// maxNamed is how many bad lines, or pages that are not listed, are named one by one.
const maxNamed = 10

// Record records checks as one operation of the ledger: all of them, or none. If two checks of a page have the same
// time, the one recorded later counts; within one call they must agree. Pages that are not listed are left out and
// counted. If no page is listed, Record fails with [publish.ErrNotListed]. An error among the checks, such as a line
// that [ReadChecks] could not read, changes nothing. The first few errors are returned together.
func Record(ctx context.Context, l *publish.Ledger, checks iter.Seq2[Check, error], by publish.Audit) (r Result,
	err error,
) {
	if checks == nil {
		return r, fmt.Errorf("recording checks: %w: there are none", blocklist.ErrMalformed)
	}
	err = l.History().Change(ctx, publish.KindTakedown, by, func(t *ledger.Tx) error { return r.record(ctx, t, checks) })
	if err != nil {
		return Result{}, err
	}
	return r, nil
}

func (r *Result) record(ctx context.Context, t *ledger.Tx, checks iter.Seq2[Check, error]) error {
	latest := time.Now().Add(24 * time.Hour) // the checker's clock may be wrong or in another time zone
	var bad []error
	for check, err := range checks {
		if err == nil && check.Checked.After(latest) {
			err = fmt.Errorf("%.80s: %w: it was checked in the future, %s", check.Page.Target(), blocklist.ErrMalformed,
				ledger.FormatTime(check.Checked))
		}
		if err == nil {
			err = r.add(ctx, t, check)
		}
		if err == nil {
			continue
		}
		if bad = append(bad, err); len(bad) == maxNamed || !errors.Is(err, blocklist.ErrMalformed) {
			break
		}
	}
	if len(bad) > 0 {
		return fmt.Errorf("recording checks: %w", errors.Join(bad...))
	}
	if r.NotListed > 0 && r.Recorded+r.Unchanged == 0 {
		return fmt.Errorf("recording checks: %w: none of the pages is, such as %s", publish.ErrNotListed, r.Unlisted[0])
	}
	return nil
}

func (r *Result) add(ctx context.Context, t *ledger.Tx, c Check) error {
	target := c.Page.Target()
	added, err := t.AddCheck(ctx, ledger.Check{Target: target, Checked: c.Checked, Removed: c.Removed})
	switch {
	case errors.Is(err, ledger.ErrNotListed):
		if r.NotListed++; len(r.Unlisted) < maxNamed {
			r.Unlisted = append(r.Unlisted, target)
		}
		return nil
	case err != nil:
		return err
	case added:
		r.Recorded++
	default:
		r.Unchanged++
	}
	return nil
}
