package proposal

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/publish"
)

// Outcome says what [Propose] has done with a proposal: Recorded, Repeated or Rejected.
type Outcome string

// The outcomes.
const (
	Recorded Outcome = "recorded" // the proposal is new, and has an ID
	Repeated Outcome = "repeated" // the proposal was recorded before; the result has that earlier proposal
	Rejected Outcome = "rejected" // the proposal is malformed or breaks a rule, and is not recorded
)

// Result is what [Propose] has done with one proposal, with the findings about it.
type Result struct {
	Proposal
	Outcome Outcome `json:"outcome"`
	Err     error   `json:"-"`             // why the proposal was rejected; nil: it was not
	Why     string  `json:"why,omitempty"` // Err as text
	Findings
}

// Findings are what a person should know before deciding on a proposal.
type Findings struct {
	publish.Examined
	Same []Other `json:"same,omitempty"` // other proposals about the same target, newest first, at most 20
}

// Other is another proposal about the same target.
type Other struct {
	ID     int64  `json:"id"`
	Source string `json:"source"`
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"` // why the proposal was refused; empty: it was not
}

// maxSame is the maximum number of proposals in [Findings].Same.
const maxSame = 20

// MaxProposed is the maximum number of proposals in one call of [Propose].
const MaxProposed = 100_000

// Propose records proposals as one step, and returns a result for each, in the same order. A proposal that is malformed
// or breaks a rule is [Rejected]; the others are still recorded.
//
// A proposal is [Repeated] if its source has made a proposal with the same key before. If the two differ in their
// target, or only one of them asks to withdraw, the new one is [Rejected]. A proposal without a key is [Repeated] if
// its source has an open proposal about the same target, and the new one adds no facts (reference, evidence, note,
// reporter, category).
//
// If progress is not nil, it is called from time to time with the number of proposals done; recording a proposal and
// examining it count half each. Propose fails with [blocklist.ErrTooLarge] beyond [MaxProposed].
func Propose(ctx context.Context, l *publish.Ledger, all []Proposal, by publish.Audit,
	progress func(uint64),
) ([]Result, error) {
	if len(all) > MaxProposed {
		return nil, fmt.Errorf("proposing: %w: at most %d at once", blocklist.ErrTooLarge, MaxProposed)
	}
	rules, err := l.Rules(ctx)
	if err != nil {
		return nil, err
	}
	results, done := make([]Result, len(all)), ledger.Counter{}
	if progress != nil {
		done.Show = func(n uint64) { progress(n / 2) }
	}
	err = l.History().Propose(ctx, ledger.StepPropose, by, func(t *ledger.StepTx) error {
		for i, p := range all {
			r, err := propose(ctx, t, p, rules)
			if err != nil {
				return err
			}
			results[i] = r
			done.Add()
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("proposing: %w", err)
	}
	return results, addFindings(ctx, l, results, &done)
}

// addFindings adds the findings to the result of each proposal that was not rejected.
func addFindings(ctx context.Context, l *publish.Ledger, results []Result, done *ledger.Counter) error {
	var kept []Proposal
	var at []int
	for i, r := range results {
		if r.Outcome != Rejected {
			kept, at = append(kept, r.Proposal), append(at, i)
		}
	}
	found, err := examine(ctx, l, kept, done)
	for i, f := range found {
		results[at[i]].Findings = f
	}
	return err
}

// propose records one proposal, unless it is malformed or was recorded before.
func propose(ctx context.Context, t *ledger.StepTx, p Proposal, rules publish.Rules) (Result, error) {
	p, err := complete(p, rules, t.Now())
	if err == nil {
		_, err = order(p)
	}
	if err != nil {
		return Result{Proposal: p, Outcome: Rejected, Err: err, Why: err.Error()}, nil
	}
	before, again, err := repeated(ctx, t, p)
	switch {
	case errors.Is(err, errKeyTaken):
		return Result{Proposal: p, Outcome: Rejected, Err: err, Why: err.Error()}, nil
	case err != nil:
		return Result{}, err
	case again:
		return Result{Proposal: before, Outcome: Repeated}, nil
	}
	p, err = t.Add(ctx, p)
	return Result{Proposal: p, Outcome: Recorded}, err
}

// errKeyTaken is returned if another proposal of the source has the same idempotency key.
var errKeyTaken = fmt.Errorf("%w: its key is that of another proposal", blocklist.ErrMalformed)

// repeated returns the earlier proposal that p repeats, and false if there is none. It fails with errKeyTaken if p has
// the key of a different proposal.
func repeated(ctx context.Context, t *ledger.StepTx, p Proposal) (before Proposal, again bool, err error) {
	if p.Key != "" {
		before, again, err = t.ProposalByKey(ctx, p.Source, p.Key)
		if again && (before.Target != p.Target || before.Withdraw != p.Withdraw) {
			err = fmt.Errorf("%w: key %q is that of proposal %d", errKeyTaken, p.Key, before.ID)
		}
		return before, again, err
	}
	for before, err := range t.ProposalsOf(ctx, p.Source, p.Target) {
		if err != nil {
			return before, false, err
		}
		if before.IsOpen() && before.Withdraw == p.Withdraw && saysNothingNew(p, before) {
			return before, true, nil
		}
	}
	return before, false, nil
}

// saysNothingNew reports whether p adds no facts to the earlier proposal.
func saysNothingNew(p, before Proposal) bool {
	for _, fact := range [][2]string{
		{p.Reference, before.Reference},
		{p.Evidence, before.Evidence},
		{p.Note, before.Note},
		{p.Reporter, before.Reporter},
		{p.Category, before.Category},
	} {
		if fact[0] != "" && fact[0] != fact[1] {
			return false
		}
	}
	return true
}

// Examine returns the current findings about each of the given proposals, in the same order.
func Examine(ctx context.Context, l *publish.Ledger, all []Proposal) ([]Findings, error) {
	return examine(ctx, l, all, &ledger.Counter{})
}

// together is the number of proposals that are examined with one lookup.
const together = 1024

func examine(ctx context.Context, l *publish.Ledger, all []Proposal, done *ledger.Counter) ([]Findings, error) {
	x, err := l.NewExaminer(ctx)
	if err != nil {
		return nil, err
	}
	found := make([]Findings, 0, len(all))
	for some := range slices.Chunk(all, together) {
		more, err := examineSome(ctx, l, x, some)
		if err != nil {
			return nil, err
		}
		for _, f := range more {
			found = append(found, f)
			done.Add()
		}
	}
	return found, nil
}

func examineSome(ctx context.Context, l *publish.Ledger, x *publish.Examiner, all []Proposal) ([]Findings, error) {
	found := make([]Findings, len(all))
	orders, targets := make([]blocklist.Entry, len(all)), make([]string, len(all))
	for i, p := range all {
		var err error
		if orders[i], err = order(p); err != nil {
			return nil, fmt.Errorf("proposal %d: %w", p.ID, err)
		}
		targets[i] = p.Target
	}
	stands, err := x.Examine(ctx, orders)
	if err != nil {
		return nil, err
	}
	for i, p := range all {
		found[i].Examined = stands[i]
		if p.Withdraw { // nothing is listed by it
			found[i].Guards, found[i].Breach, found[i].Protected = nil, nil, ""
		}
	}
	for other, err := range l.History().ProposalsAboutEach(ctx, targets, maxSame+1) {
		if err != nil {
			return nil, err
		}
		if f := &found[other.Index]; other.ID != all[other.Index].ID && len(f.Same) < maxSame {
			f.Same = append(f.Same, Other{other.ID, other.Source, other.State, other.Reason})
		}
	}
	return found, nil
}
