package publish

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// GuardSettings are what the guards of a list know. The zero value is that of a new ledger: every guard is on, with its
// standard limits, nothing is protected and nothing known to be popular.
type GuardSettings struct {
	Protected string  `json:"-"`                    // text that [guard.ReadProtected] reads
	Popular   string  `json:"-"`                    // text that [guard.ReadPopular] reads
	MaxGrowth float64 `json:"max_growth,omitempty"` // see [guard.Limits]; zero: the standard
	MaxShrink float64 `json:"max_shrink,omitempty"`
}

// Guard makes the guard of these settings. It fails with [blocklist.ErrMalformed] or [blocklist.ErrTooLarge].
func (s GuardSettings) Guard() (*guard.Guard, error) {
	limits, err := s.limits()
	if err != nil {
		return nil, err
	}
	return guard.New(limits)
}

func (s GuardSettings) limits() (limits guard.Limits, err error) {
	limits.MaxGrowth, limits.MaxShrink = s.MaxGrowth, s.MaxShrink
	if limits.Protected, err = guard.ReadProtected(bytes.NewBufferString(s.Protected)); err != nil {
		return limits, err
	}
	limits.Popular, err = guard.ReadPopular(bytes.NewBufferString(s.Popular), 0)
	return limits, err
}

// describe says what the settings are, for the ledger.
func (s GuardSettings) describe() (string, error) {
	limits, err := s.limits()
	return fmt.Sprintf("%d protected (SHA-256 %.12x), %d popular (SHA-256 %.12x), growth up to %s, shrink up to %s",
		len(limits.Protected), sha256.Sum256([]byte(s.Protected)), len(limits.Popular), sha256.Sum256([]byte(s.Popular)),
		percent(s.MaxGrowth), percent(s.MaxShrink)), err
}

func percent(share float64) string {
	if share == 0 {
		return "the standard"
	}
	return fmt.Sprintf("%g %%", 100*share)
}

// Keys of the settings in the table meta.
const (
	metaGuard     = "guard"
	metaProtected = "guard-protected"
	metaPopular   = "guard-popular"
)

// GuardSettings returns what the list's guards know.
func (l *Ledger) GuardSettings(ctx context.Context) (GuardSettings, error) {
	return readGuardSettings(ctx, l.db)
}

func readGuardSettings(ctx context.Context, q querier) (s GuardSettings, err error) {
	numbers := "{}"
	for key, value := range map[string]*string{metaGuard: &numbers, metaProtected: &s.Protected, metaPopular: &s.Popular} {
		err := q.QueryRowContext(ctx, `SELECT value FROM meta WHERE key = ?`, key).Scan(value)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return s, err
		}
	}
	if err := json.Unmarshal([]byte(numbers), &s); err != nil {
		return s, fmt.Errorf("ledger: %w: settings of the guards: %w", blocklist.ErrDamaged, err)
	}
	return s, nil
}

// SetGuard changes what the list's guards know; that is an operation, by c's author and for c's reason.
func (l *Ledger) SetGuard(ctx context.Context, s GuardSettings, c Audit) error {
	if _, err := s.Guard(); err != nil {
		return err
	}
	what, err := s.describe()
	if err != nil {
		return err
	}
	numbers, err := json.Marshal(s)
	if err != nil {
		return err
	}
	c.Reference = what
	_, err = l.change(ctx, KindGuard, c, func(o *operation, _ *ChangeResult) error {
		for key, value := range map[string]string{metaGuard: string(numbers), metaProtected: s.Protected, metaPopular: s.Popular} {
			if _, err := o.tx.ExecContext(ctx, `INSERT OR REPLACE INTO meta VALUES (?, ?)`, key, value); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// guard returns the list's guard.
func (l *Ledger) guard(ctx context.Context) (*guard.Guard, error) {
	s, err := l.GuardSettings(ctx)
	if err != nil {
		return nil, err
	}
	g, err := s.Guard()
	if err != nil {
		err = fmt.Errorf("ledger: %w: settings of the guards: %w", blocklist.ErrDamaged, err)
	}
	return g, err
}

// check asks the guards about entries that are to come into the ledger.
type check struct {
	guard    *guard.Guard
	override bool
	bulk     bool            // of a whole list: what lists commonly trip is left to the release
	holding  []guard.Finding // the first of those that hold
	telling  []guard.Finding // the first of the others
	refused  uint64          // entries
}

// maxFindings is how many findings of each severity a change explains.
const maxFindings = 20

func (l *Ledger) newCheck(ctx context.Context, c Audit) (*check, error) {
	g, err := l.guard(ctx)
	return &check{guard: g, override: c.Override != ""}, err
}

// passes notes what was found in an entry that is new, and reports whether it may come in.
func (c *check) passes(found []guard.Finding) bool {
	holds := false
	for _, f := range found {
		to := &c.telling
		if f.Severity == guard.SeverityHold && (!c.bulk || !f.Check.Common()) {
			to, holds = &c.holding, true
		}
		if len(*to) < maxFindings {
			*to = append(*to, f)
		}
	}
	if holds && !c.override {
		c.refused++
		return false
	}
	return true
}

func (c *check) found() []guard.Finding { return append(c.holding, c.telling...) }

// held returns an error if an entry was refused.
func (c *check) held() error {
	if c.refused == 0 {
		return nil
	}
	return &guard.HeldError{Report: &guard.Report{Findings: c.found(), Held: uint64(len(c.holding)), Reported: uint64(len(c.telling))}}
}

// guardRelease asks the guards about the state after the operation now, against the newest release that was pushed. It
// returns why it may pass nevertheless; empty if nothing holds it. It fails with a [*guard.HeldError].
func (l *Ledger) guardRelease(ctx context.Context, last ReleaseRecord, now Operation) (override string, err error) {
	report, err := l.examine(ctx, last, now)
	if err != nil || report.Held == 0 {
		return "", err
	}
	// What was refused since is not let pass a second time by an override from before.
	row := l.db.QueryRowContext(ctx, `SELECT reason FROM operations WHERE id > ? AND kind = ? AND reference = ?
		AND id > coalesce((SELECT max(id) FROM operations WHERE kind = ?), 0) ORDER BY id DESC LIMIT 1`,
		last.Operation, KindOverride, overridden(report), KindRefuse)
	if err := row.Scan(&override); errors.Is(err, sql.ErrNoRows) {
		return "", &guard.HeldError{Report: report}
	}
	return override, err
}

// overridden is the reference of an operation that lets a release pass with the findings of a report.
func overridden(r *guard.Report) string { return "findings " + r.Digest }

func (l *Ledger) examine(ctx context.Context, last ReleaseRecord, now Operation) (*guard.Report, error) {
	g, err := l.guard(ctx)
	if err != nil {
		return nil, err
	}
	u := guard.Update{After: now.Entries}
	if last.Serial == 0 {
		u.Entries, u.Changes = l.Entries(ctx), l.additions(ctx)
		report, err := g.Check(u)
		if errors.Is(err, blocklist.ErrMalformed) { // there are more or fewer than there should be
			err = errStrayed()
		}
		return report, err
	}
	row := l.db.QueryRowContext(ctx, `SELECT entries FROM operations WHERE id = ?`, last.Operation)
	if err := row.Scan(&u.Before); err != nil {
		return nil, fmt.Errorf("reading operation %d: %w", last.Operation, err)
	}
	u.Changes = l.Changes(ctx, last.Operation, now.ID)
	if u.Entries, err = l.perhapsBelow(ctx, u.Changes); err != nil {
		return nil, err
	}
	return g.Check(u)
}

// additions yields the list as it is as what has changed since nothing was on it.
func (l *Ledger) additions(ctx context.Context) iter.Seq2[blocklist.Change, error] {
	return func(yield func(blocklist.Change, error) bool) {
		for e, err := range l.Entries(ctx) {
			if !yield(blocklist.Change{Entry: e}, err) {
				return
			}
		}
	}
}

// Examine returns what the guards find in the list as it is now, against the newest release that was pushed.
func (l *Ledger) Examine(ctx context.Context) (*guard.Report, error) {
	last, err := lastRelease(ctx, l.db)
	if err != nil {
		return nil, err
	}
	now, err := head(ctx, l.db)
	if err != nil {
		return nil, err
	}
	return l.examine(ctx, last, now)
}

// Override lets the next release pass with what the guards find now, and nothing else: c.Reason says why. It is recorded,
// and signed with the release, for all subscribers to see. It returns what the guards find; if nothing holds the list,
// nothing is recorded.
func (l *Ledger) Override(ctx context.Context, c Audit) (*guard.Report, error) {
	if err := trust.CheckOverride(c.Reason); err != nil || c.Reason == "" {
		return nil, errors.Join(err, fmt.Errorf("overriding the guards: %w: a reason of one line, at most 1 KiB, is needed", blocklist.ErrMalformed))
	}
	unlock, err := l.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := l.expire(ctx, Audit{Author: c.Author, Reason: reasonExpired}); err != nil {
		return nil, err
	}
	report, err := l.Examine(ctx)
	if err != nil || report.Held == 0 {
		return report, err
	}
	c.Reference = overridden(report)
	return report, l.operate(ctx, KindOverride, c, func(*operation) error { return nil })
}
