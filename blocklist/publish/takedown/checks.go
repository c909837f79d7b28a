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

// Check is the result of a visit to a listed page: whether the page is gone.
type Check struct {
	Page    blocklist.Entry // an entry of scope url
	Removed bool            // whether the page is gone
	Checked time.Time
}

// Result counts what [Record] has done with checks.
type Result struct {
	Recorded  uint64   `json:"recorded"`
	Unchanged uint64   `json:"unchanged"`          // checks that were already recorded, with the same result
	NotListed uint64   `json:"not_listed"`         // checks left out because their page is not listed
	Unlisted  []string `json:"unlisted,omitempty"` // the first pages that are not listed, at most 10
}

// maxNamed is the maximum number of errors that Record returns, and of pages in [Result].Unlisted.
const maxNamed = 10

// Record records checks as one operation of the ledger: all of them, or none. Checks of pages that are not listed are
// left out and counted; if no page is listed, Record fails with [publish.ErrNotListed]. If a check has the same page
// and time as one that an earlier call has recorded, the new check counts. Within one call, two such checks must agree.
// If checks yields an error, for example of a line that [ReadChecks] can't read, Record changes nothing, and returns
// the first 10 errors together.
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
