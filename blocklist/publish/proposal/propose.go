package proposal

import (
	"context"
	"errors"
	"fmt"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/publish"
)

// Outcome is what became of a proposal that was given to [Propose].
type Outcome string

// The outcomes.
const (
	Recorded Outcome = "recorded" // it is new, and has an ID
	Repeated Outcome = "repeated" // it was recorded before, and is that proposal
	Rejected Outcome = "rejected" // it is malformed or against a rule, and is not recorded
)

// Result is the outcome of one proposal, with what stands against it.
type Result struct {
	Proposal
	Outcome Outcome `json:"outcome"`
	Why     string  `json:"why,omitempty"` // of a rejected one
	Findings
}

// Findings are what a person should know before deciding on a proposal.
type Findings struct {
	publish.Examined
	Same []Other `json:"same,omitempty"` // other proposals about the target, the newest first, at most 20
}

// Other is another proposal about the same target.
type Other struct {
	ID     int64  `json:"id"`
	Source string `json:"source"`
	State  string `json:"state"`
}

// maxSame limits the other proposals in [Findings].
const maxSame = 20

// MaxProposed is the maximum number of proposals in one call of [Propose].
const MaxProposed = 100_000

// Propose records proposals as one step, and returns a result for each, in the same order. A malformed one, and one
// that breaks a rule, is rejected; the others are recorded.
//
// A proposal with the key of one that its source has made before is that one (repeated); with another target it is
// rejected. So is one without new facts (reference, evidence, note) about a target on which its source has an open
// proposal. It fails with [blocklist.ErrTooLarge] beyond [MaxProposed].
func Propose(ctx context.Context, l *publish.Ledger, all []Proposal, by publish.Audit) ([]Result, error) {
	if len(all) > MaxProposed {
		return nil, fmt.Errorf("proposing: %w: at most %d at once", blocklist.ErrTooLarge, MaxProposed)
	}
	rules, err := l.Rules(ctx)
	if err != nil {
		return nil, err
	}
	results := make([]Result, len(all))
	err = l.History().Propose(ctx, ledger.StepPropose, by, func(t *ledger.StepTx) error {
		for i, p := range all {
			r, err := propose(ctx, t, p, rules)
			if err != nil {
				return err
			}
			results[i] = r
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("proposing: %w", err)
	}
	x, err := newExaminer(ctx, l)
	for i := range results {
		if err == nil && results[i].Outcome != Rejected {
			results[i].Findings, err = x.examine(ctx, results[i].Proposal)
		}
	}
	return results, err
}

// propose records one proposal, unless it is malformed or was recorded before.
func propose(ctx context.Context, t *ledger.StepTx, p Proposal, rules publish.Rules) (Result, error) {
	p, err := complete(p, rules, t.Now())
	if err == nil {
		_, err = order(p)
	}
	if err != nil {
		return Result{Proposal: p, Outcome: Rejected, Why: err.Error()}, nil
	}
	before, again, err := repeated(ctx, t, p)
	switch {
	case errors.Is(err, errKeyTaken):
		return Result{Proposal: p, Outcome: Rejected, Why: err.Error()}, nil
	case err != nil:
		return Result{}, err
	case again:
		return Result{Proposal: before, Outcome: Repeated}, nil
	}
	p, err = t.Add(ctx, p)
	return Result{Proposal: p, Outcome: Recorded}, err
}

// errKeyTaken is returned if another proposal has the idempotency key.
var errKeyTaken = fmt.Errorf("%w: its key is that of another proposal", blocklist.ErrMalformed)

// repeated returns the proposal that p repeats, and false if there is none.
func repeated(ctx context.Context, t *ledger.StepTx, p Proposal) (before Proposal, again bool, err error) {
	before, again, err = t.ProposalByKey(ctx, p.Source, p.Key)
	if err != nil || again {
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

// saysNothingNew reports whether p has no fact that the earlier proposal lacks.
func saysNothingNew(p, before Proposal) bool {
	for _, fact := range [][2]string{
		{p.Key, ""},
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

// Examine returns what stands against each of some proposals now, in the same order.
func Examine(ctx context.Context, l *publish.Ledger, all []Proposal) ([]Findings, error) {
	x, err := newExaminer(ctx, l)
	if err != nil {
		return nil, err
	}
	found := make([]Findings, len(all))
	for i, p := range all {
		if found[i], err = x.examine(ctx, p); err != nil {
			return nil, err
		}
	}
	return found, nil
}

type examiner struct {
	ledger *publish.Ledger
	orders *publish.Examiner
}

func newExaminer(ctx context.Context, l *publish.Ledger) (*examiner, error) {
	orders, err := l.NewExaminer(ctx)
	return &examiner{l, orders}, err
}

func (x *examiner) examine(ctx context.Context, p Proposal) (f Findings, err error) {
	e, err := order(p)
	if err != nil {
		return f, fmt.Errorf("proposal %d: %w", p.ID, err)
	}
	if f.Examined, err = x.orders.Examine(ctx, e); err != nil {
		return f, err
	}
	if p.Withdraw { // nothing is listed by it
		f.Guards, f.Breach = nil, ""
	}
	for other, err := range x.ledger.History().ProposalsAbout(ctx, p.Target, maxSame+1) {
		if err != nil {
			return f, err
		}
		if other.ID != p.ID && len(f.Same) < maxSame {
			f.Same = append(f.Same, Other{other.ID, other.Source, other.State})
		}
	}
	return f, nil
}
