package publish

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/argine-dns/argine/blocklist/internal/ledger"
)

// Decided is a proposal with what was decided on it.
type Decided = ledger.Decided

// DecisionAbout is what a step has decided on one proposal.
type DecisionAbout = ledger.DecisionAbout

// LoggedDecision is a decision of a person on proposals: the step that records it, and the first of these proposals. A
// confirmation is an operation of [KindConfirm] instead.
type LoggedDecision = ledger.LoggedStep

// DecisionKinds returns the kinds of decisions on proposals.
func DecisionKinds() []string { return ledger.DecisionKinds() }

// Decisions yields the selected decisions on proposals, oldest first. The filter's kinds are among [DecisionKinds], its
// IDs are those of decisions, and its target is that of proposals. Before is the ID of a decision: only earlier ones
// are selected. The last value may be an error.
func (l *Ledger) Decisions(ctx context.Context, f LogFilter) iter.Seq2[LoggedDecision, error] {
	return func(yield func(LoggedDecision, error) bool) {
		filter, err := f.filter()
		if err != nil {
			yield(LoggedDecision{}, err)
			return
		}
		for d, err := range l.history.Decisions(ctx, filter) {
			if !yield(d, err) || err != nil {
				return
			}
		}
	}
}

// ErrNoDecision is returned if no decision on proposals has the given ID.
var ErrNoDecision = errors.New("no such decision on proposals")

// Decision returns the decision on proposals with an ID, without any of the proposals. It fails with [ErrNoDecision] if
// there is none.
func (l *Ledger) Decision(ctx context.Context, id int64) (LoggedDecision, error) {
	d, err := l.history.DecisionByID(ctx, id)
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("decision %d: %w", id, ErrNoDecision)
	}
	return d, err
}

// DecidedBy yields the proposals of a decision. It leaves out the first skip proposals, and then yields at most limit.
// The last value may be an error.
func (l *Ledger) DecidedBy(ctx context.Context, d LoggedDecision, skip, limit int64) iter.Seq2[Decided, error] {
	return l.history.DecidedBy(ctx, d, skip, limit)
}

// addDecisions adds the decisions on proposals about the given targets, and about others that have a history.
func (h *histories) addDecisions(ctx context.Context, own, covers []string) error {
	targets := own
	for _, target := range covers {
		if h.by[target] != nil {
			targets = append(slices.Clip(targets), target)
		}
	}
	for d, err := range h.history.DecisionsAbout(ctx, targets) {
		if err != nil {
			return err
		}
		of := h.of(d.Proposal.Target)
		of.Decisions = append(of.Decisions, d)
	}
	return nil
}
