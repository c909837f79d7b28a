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

// Check is what somebody found when looking whether a platform has taken a page down.
type Check struct {
	Page    blocklist.Entry // of scope url
	Removed bool            // it is gone
	Checked time.Time
}

// Result counts what became of checks.
type Result struct {
	Recorded  uint64
	Unchanged uint64   // recorded like this before
	NotListed uint64   // pages that are not on the list, and were left out
	Unlisted  []string // the first of those
}

// maxNamed is how many bad lines, or pages that are not listed, are named one by one.
const maxNamed = 10

// Record records checks as one operation of the ledger: all of them, or nothing. Of two checks of a page at the same
// time the one that is recorded later counts; in one call they must agree. Pages that are not listed are left out, and
// counted; if none is listed, it fails with [publish.ErrNotListed]. An error among the checks, such as a line that
// [ReadChecks] could not read, changes nothing; the first few are reported together.
func Record(ctx context.Context, l *publish.Ledger, checks iter.Seq2[Check, error], by publish.Audit) (r Result,
	err error) {
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
	latest := time.Now().Add(24 * time.Hour) // whatever the clock of the checker
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
