package publish

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// GuardSettings are the settings of a list's guards. A new ledger has the zero value: all guards are on with
// standard limits, the built-in names are protected, and no names are known as popular.
type GuardSettings struct {
	Protected string `json:"-"` // protected names, in the format of [guard.ReadProtected]
	Popular   string `json:"-"` // popular names, in the format of [guard.ReadPopular]
	// MaxGrowth limits the additions in one update, as a share of the number of entries before the update, see
	// [guard.Limits]. Zero: the standard limit.
	MaxGrowth float64 `json:"max_growth,omitempty"`
	MaxShrink float64 `json:"max_shrink,omitempty"`
	NoBuiltIn bool    `json:"no_built_in,omitempty"` // whether the names of [guard.BuiltIn] are left unprotected
}

// Guard returns a guard with these settings. If the settings are invalid, it fails with [blocklist.ErrMalformed] or
// [blocklist.ErrTooLarge].
func (s GuardSettings) Guard() (*guard.Guard, error) {
	limits, err := s.limits()
	if err != nil {
		return nil, err
	}
	return guard.New(limits)
}

func (s GuardSettings) limits() (limits guard.Limits, err error) {
	limits.MaxGrowth, limits.MaxShrink, limits.NoBuiltIn = s.MaxGrowth, s.MaxShrink, s.NoBuiltIn
	if limits.Protected, err = guard.ReadProtected(bytes.NewBufferString(s.Protected)); err != nil {
		return limits, err
	}
	limits.Popular, err = guard.ReadPopular(bytes.NewBufferString(s.Popular), 0)
	return limits, err
}

// describe returns the settings in words, as the reference of an operation.
func (s GuardSettings) describe() (string, error) {
	limits, err := s.limits()
	text := fmt.Sprintf("%d protected (SHA-256 %.12x), %d popular (SHA-256 %.12x), growth up to %s, shrink up to %s",
		len(limits.Protected), sha256.Sum256([]byte(s.Protected)), len(limits.Popular), sha256.Sum256([]byte(s.Popular)),
		percent(s.MaxGrowth), percent(s.MaxShrink))
	if s.NoBuiltIn {
		text += ", no built-in names"
	}
	return text, err
}

func percent(share float64) string {
	if share == 0 {
		return "the standard"
	}
	return fmt.Sprintf("%g %%", 100*share)
}

// Keys of the guards' settings in the database table meta.
const (
	metaGuard     = "guard"
	metaProtected = "guard-protected"
	metaPopular   = "guard-popular"
)

// GuardSettings returns the settings of the list's guards.
func (l *Ledger) GuardSettings(ctx context.Context) (GuardSettings, error) {
	return readGuardSettings(ctx, l.history.View)
}

func readGuardSettings(ctx context.Context, v ledger.View) (s GuardSettings, err error) {
	var numbers string
	for key, value := range map[string]*string{metaGuard: &numbers, metaProtected: &s.Protected, metaPopular: &s.Popular} {
		if *value, err = v.Meta(ctx, key); err != nil {
			return s, err
		}
	}
	if err := json.Unmarshal([]byte(cmp.Or(numbers, "{}")), &s); err != nil {
		return s, fmt.Errorf("ledger: %w: settings of the guards: %w", blocklist.ErrDamaged, err)
	}
	return s, nil
}

// SetGuard replaces the settings of the list's guards. The ledger records an operation with the author and reason of c.
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
	return l.history.Change(ctx, KindGuard, c, func(t *ledger.Tx) error {
		for key, value := range map[string]string{
			metaGuard: string(numbers), metaProtected: s.Protected,
			metaPopular: s.Popular,
		} {
			if err := t.SetMeta(ctx, key, value); err != nil {
				return err
			}
		}
		return nil
	})
}

// guard returns a guard with the list's settings.
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

// screen runs the guards on the entries that an operation would add, and collects their findings.
type screen struct {
	guard    *guard.Guard
	override bool
	found    [2][]guard.Finding // the first findings: at index 0 those that hold an entry, at index 1 the others
	// numbers of all findings: at index 0 of those that hold an entry, at index 1 of the others
	counts  [2]uint64
	refused uint64 // number of entries that were held and not added
}

// maxFindings is the maximum number of findings of each severity that an operation returns.
const maxFindings = 20

func (l *Ledger) newScreen(ctx context.Context, by Audit) (*screen, error) {
	g, err := l.guard(ctx)
	return &screen{guard: g, override: by.Override != ""}, err
}

// screen implements [ledger.Screen]. It returns nil if the guards find nothing in an entry. Otherwise it returns a
// function that records the findings, and reports whether the entry may be added.
func (s *screen) screen(e blocklist.Entry) (admit func() bool) {
	found := s.guard.Entry(e)
	if len(found) == 0 {
		return nil
	}
	return func() bool { return s.admit(found) }
}

// admit records the findings about a new entry. It reports whether the entry may be added.
func (s *screen) admit(found []guard.Finding) bool {
	holds := false
	for _, f := range found {
		kind := 1
		if f.Severity == guard.SeverityHold {
			kind, holds = 0, true
		}
		s.counts[kind]++
		if len(s.found[kind]) < maxFindings {
			s.found[kind] = append(s.found[kind], f)
		}
	}
	if holds && !s.override {
		s.refused++
		return false
	}
	return true
}

// report returns the findings of the guards.
func (s *screen) report() guard.Report {
	return guard.Report{Findings: slices.Concat(s.found[0], s.found[1]), Held: s.counts[0], Reported: s.counts[1]}
}

// err returns a [*guard.HeldError] if entries were held and not added, and nil otherwise.
func (s *screen) err() error {
	if s.refused == 0 {
		return nil
	}
	report := s.report()
	return &guard.HeldError{Report: &report}
}

// guardRelease runs the guards on the list as it is after an operation, the argument head, compared with the last
// pushed release. If the guards don't hold the list, it returns an empty text. If they do, it looks for an operation
// since that release that overrides exactly these findings, and returns the reason of that operation. It returns a
// [*guard.HeldError] if there is none.
func (l *Ledger) guardRelease(ctx context.Context, last ReleaseRecord, head Operation) (override string, err error) {
	report, err := l.examine(ctx, last, head)
	if err != nil || report.Held == 0 {
		return "", err
	}
	found := false
	for o, err := range l.history.Operations(ctx, ledger.Range{
		After: last.Operation,
		Kinds: []string{KindOverride, KindRefuse, KindDiscard},
	}) {
		if err != nil {
			return "", err
		}
		switch {
		case o.Kind != KindOverride: // a refusal cancels earlier overrides
			found = false
		case o.Reference == overridden(report):
			found, override = true, o.Reason
		}
	}
	if !found {
		return "", &guard.HeldError{Report: report}
	}
	return override, nil
}

// overridden returns the reference that an operation has if it overrides the findings in a report.
func overridden(r *guard.Report) string { return "findings " + r.Digest }

func (l *Ledger) examine(ctx context.Context, last ReleaseRecord, now Operation) (*guard.Report, error) {
	g, err := l.guard(ctx)
	if err != nil {
		return nil, err
	}
	u := guard.Update{After: now.Entries}
	if last.Serial == 0 {
		u.Entries, u.Changes = l.history.Entries(ctx), l.history.Additions(ctx)
		report, err := g.Check(u)
		if errors.Is(err, blocklist.ErrMalformed) { // the number of entries is wrong
			err = errDiverged()
		}
		return report, err
	}
	released, err := l.history.OperationByID(ctx, last.Operation)
	if err != nil {
		return nil, fmt.Errorf("reading operation %d: %w", last.Operation, err)
	}
	u.Before = released.Entries
	u.Changes = l.history.Changes(ctx, last.Operation, now.ID)
	if u.Entries, err = l.history.CandidatesBelow(ctx, u.Changes); err != nil {
		return nil, err
	}
	return g.Check(u)
}

// Foresee returns what the guards would find about the size of the list in the next release if a withdrawal took place:
// that the list is empty, or has lost unusually many of the last release's entries. The argument withdrawal is the
// result of a dry run.
func (l *Ledger) Foresee(ctx context.Context, withdrawal ChangeResult) ([]guard.Finding, error) {
	last, err := l.history.LastRelease(ctx)
	if err != nil || last.Serial == 0 {
		return nil, err
	}
	released, err := l.history.OperationByID(ctx, last.Operation)
	if err != nil {
		return nil, err
	}
	now, err := l.history.Head(ctx)
	if err != nil {
		return nil, err
	}
	g, err := l.guard(ctx)
	if err != nil {
		return nil, err
	}
	report, err := g.Check(guard.Update{
		Before: released.Entries, After: min(released.Entries, now.Entries-min(now.Entries, withdrawal.Removed)),
		Changes: func(func(blocklist.Change, error) bool) {},
	})
	if err != nil {
		return nil, err
	}
	return report.Findings, nil
}

// Examine runs the guards on the current list, compared with the last pushed release, and returns their findings.
func (l *Ledger) Examine(ctx context.Context) (*guard.Report, error) {
	last, err := l.history.LastRelease(ctx)
	if err != nil {
		return nil, err
	}
	now, err := l.history.Head(ctx)
	if err != nil {
		return nil, err
	}
	return l.examine(ctx, last, now)
}

// Override lets the next release pass although the guards hold it: its current findings are overridden, and no others.
// The reason in c is required. It is recorded in the ledger and signed with the release, so all subscribers can read
// it. Override returns the findings. If the guards hold nothing, it records nothing.
func (l *Ledger) Override(ctx context.Context, c Audit) (*guard.Report, error) {
	if err := trust.CheckOverride(c.Reason); err != nil || c.Reason == "" {
		return nil, errors.Join(err, fmt.Errorf("overriding the guards: %w: a reason of one line, at most 1 KiB, is needed",
			blocklist.ErrMalformed))
	}
	unlock, err := l.history.Lock(ctx)
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
	return report, l.history.Record(ctx, KindOverride, c, nil)
}
