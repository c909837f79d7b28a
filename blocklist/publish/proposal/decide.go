package proposal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/publish"
)

// Verb is a kind of decision about proposals.
type Verb string

// The verbs.
const (
	Check    Verb = ledger.StepCheck    // a first person approves
	Confirm  Verb = ledger.StepConfirm  // approve for good: the target is listed, or the order withdrawn
	Refuse   Verb = ledger.StepRefuse   // reject: the list stays as it is
	Refer    Verb = ledger.StepRefer    // refer to a platform, which can take the page down
	Withdraw Verb = ledger.StepWithdraw // take the proposal back, in the name of its source
)

// Verbs returns all verbs.
func Verbs() []Verb { return []Verb{Check, Confirm, Refuse, Refer, Withdraw} }

// Decision is one decision about one or more proposals.
type Decision struct {
	Verb Verb
	IDs  []int64
	// Category, Reference, Expires and Review are attributes of the order, only for Check and Confirm. A value that is not
	// zero replaces the proposed one.
	Category, Reference string
	Expires, Review     time.Time
	// Orders maps the ID of a proposal to withdraw to the reference of the order to be withdrawn; the empty reference
	// means the order without one. For a proposal that is not in Orders, the order with the proposal's own reference is
	// withdrawn. If the proposal has no reference, all orders that come from its source are withdrawn. Orders is only
	// for Confirm.
	Orders map[int64]string
	// Seen maps the ID of a proposal to the value that [Proposal].Step had when the person saw the proposal. If the
	// proposal was changed since then, the decision about it fails, usually with [ErrChanged]. For a proposal that is
	// not in Seen there is no such check.
	Seen map[int64]int64
}

// Decided is the result of a decision about one proposal.
type Decided struct {
	Proposal // the proposal after the decision
	// Err is why the decision failed for this proposal. It is nil if the proposal was decided on.
	Err    error           `json:"-"`
	Why    string          `json:"why,omitempty"`    // Err as text
	Last   Step            `json:"-"`                // last step of the proposal, if Err is about an earlier decision
	Guards []guard.Finding `json:"guards,omitempty"` // findings of the guards; only for Confirm
}

var (
	// ErrState is returned if a proposal is in a state that does not allow the decision.
	ErrState = errors.New("not in this state")
	// ErrAlready is returned if the same person has already taken the same decision, after the step in [Decision].Seen.
	// It wraps [ErrState].
	ErrAlready = fmt.Errorf("%w: you have decided on it already", ErrState)
	// ErrNoReason is returned if a proposal would be refused without a reason. It wraps [blocklist.ErrMalformed].
	ErrNoReason = fmt.Errorf("%w: a refusal needs a reason", blocklist.ErrMalformed)
	// ErrSecondPerson is returned if a proposal needs two persons, and is confirmed without a check or by the person who
	// checked it.
	ErrSecondPerson = errors.New("another person must confirm")
	// ErrChanged is returned if another person has changed a proposal after the step in [Decision].Seen.
	ErrChanged = errors.New("changed by another person since")
)

// MaxDecided is the maximum number of proposals in one [Decision].
const MaxDecided = 100_000

// Decide decides on proposals as one [Step], and returns a result for each, in the order of d.IDs. If a proposal can't
// be decided on, its result has an error, and the others are still decided on. This error is [ErrState], [ErrAlready],
// [ErrSecondPerson], [ErrChanged], [ErrNotFound], [publish.ErrRules], [publish.ErrOver] or a [*guard.HeldError]. For a
// proposal to withdraw it may also be [publish.ErrNotListed] or [publish.ErrNoOrder]. Decide itself fails with
// [ErrNoReason] if by.Reason is empty and a proposal would be refused, and with [blocklist.ErrTooLarge] beyond
// [MaxDecided].
//
// Confirm gives the orders in the same transaction, as one operation of [publish.KindConfirm]: the step and the orders
// take effect together or not at all. If by.Override gives a reason, entries are listed although the guards hold them.
func Decide(ctx context.Context, l *publish.Ledger, d Decision, by publish.Audit) ([]Decided, error) {
	if len(d.IDs) > MaxDecided {
		return nil, fmt.Errorf("deciding: %w: at most %d proposals at once", blocklist.ErrTooLarge, MaxDecided)
	}
	rules, err := l.Rules(ctx)
	if err != nil {
		return nil, err
	}
	r := &ruling{Decision: d, by: by, rules: rules, results: make([]Decided, len(d.IDs))}
	switch d.Verb {
	case Confirm:
		err = l.Edit(ctx, publish.KindConfirm, by, func(e *publish.Edit) error { return r.confirm(ctx, e) })
		if errors.Is(err, errNothing) {
			err = nil
		}
	case Check, Refuse, Refer, Withdraw:
		err = l.History().Propose(ctx, string(d.Verb), by, func(t *ledger.StepTx) error { return r.run(ctx, t) })
	default:
		err = malformed("there is no decision %.40q", d.Verb)
	}
	if err != nil {
		return nil, fmt.Errorf("deciding: %w", err)
	}
	for i, result := range r.results {
		if result.Err != nil {
			r.results[i].Why = result.Err.Error()
		}
	}
	return r.results, nil
}

// errNothing ends the transaction of a confirmation in which no proposal was confirmed, so that no operation is
// recorded.
var errNothing = errors.New("nothing was confirmed")

// ruling is one call of [Decide] in progress.
type ruling struct {
	Decision
	by      publish.Audit
	rules   publish.Rules
	results []Decided
}

// run carries out a decision other than Confirm. It does not change the list.
func (r *ruling) run(ctx context.Context, t *ledger.StepTx) error {
	to := map[Verb]string{Check: Checked, Refuse: Refused, Refer: Referred, Withdraw: Withdrawn}[r.Verb]
	for i := range r.results {
		p, err := r.find(ctx, t.View, i)
		if err != nil || r.results[i].Err != nil {
			if err != nil {
				return err
			}
			continue
		}
		if r.Verb == Refuse && r.by.Reason == "" {
			return ErrNoReason
		}
		change := Proposal{State: to}
		if r.Verb == Check {
			change = r.attributes()
			change.State, change.Checker = to, r.by.Author
		}
		if r.results[i].Proposal, err = t.Update(ctx, p, change); err != nil {
			return err
		}
	}
	return nil
}

// attributes returns a proposal that has only the attributes of the decision.
func (d Decision) attributes() Proposal {
	return Proposal{
		Category: d.Category, Reference: d.Reference, Expires: d.Expires.UTC().Truncate(time.Second),
		Review: d.Review.UTC().Truncate(time.Second),
	}
}

// with returns the proposal p with the attributes that the decision sets.
func (d Decision) with(p Proposal) Proposal {
	c := d.attributes()
	e := blocklist.Attributes{Category: c.Category, Reference: c.Reference, Expires: c.Expires, Review: c.Review}.Or(
		blocklist.Attributes{Category: p.Category, Reference: p.Reference, Expires: p.Expires, Review: p.Review})
	p.Category, p.Reference, p.Expires, p.Review = e.Category, e.Reference, e.Expires, e.Review
	return p
}

// find returns the proposal with index i in r.IDs, and sets it in the result with the same index. If the proposal can't
// be decided on, find sets the error of this result instead of failing.
func (r *ruling) find(ctx context.Context, v ledger.View, i int) (Proposal, error) {
	p, err := v.Proposal(ctx, r.IDs[i])
	result := &r.results[i]
	result.Proposal = p
	if errors.Is(err, ErrNotFound) {
		result.ID, result.Err = r.IDs[i], err
		return p, nil
	}
	if err != nil {
		return p, err
	}
	result.Err = r.Allowed(p, r.by.Author, r.rules)
	if seen, given := r.Seen[p.ID]; given && seen != p.Step || errors.Is(result.Err, ErrState) {
		if result.Last, err = lastStep(ctx, v, p.ID); err != nil {
			return p, err
		}
		if given && seen != p.Step {
			result.Err = r.changed(p, result.Last)
		}
		return p, nil
	}
	if result.Err == nil && (r.Verb == Check || r.Verb == Confirm) && !p.Withdraw {
		result.Err = r.checkDays(p, time.Now())
	}
	if result.Err == nil && r.Verb == Check {
		result.Err = readable(r.with(p))
	}
	return p, nil
}

// readable fails unless the order that a proposal asks for is a valid entry, and the proposal's texts are within their
// limits.
func readable(p Proposal) error {
	if _, err := order(p); err != nil {
		return fmt.Errorf("proposal %d: %w", p.ID, err)
	}
	return checkTexts(p)
}

// changed returns the error about a proposal that was changed after the person has seen it. The argument last is the
// proposal's last step.
func (r *ruling) changed(p Proposal, last Step) error {
	switch {
	case !SamePerson(last.Author, r.by.Author):
		return fmt.Errorf("proposal %d: %w: it is %s", p.ID, ErrChanged, stateText(p))
	case last.Kind == string(r.Verb):
		return fmt.Errorf("proposal %d: %w: it is %s", p.ID, ErrAlready, p.State)
	}
	return fmt.Errorf("proposal %d: %w: you have made it %s", p.ID, ErrState, p.State)
}

// checkDays fails with [publish.ErrOver] if the order would already have expired, or if the review day in the decision
// is in the past.
func (d Decision) checkDays(p Proposal, now time.Time) error {
	expires := d.with(p).Expires
	switch {
	case !expires.IsZero() && !expires.After(now):
		return fmt.Errorf("proposal %d: it would expire on %s: %w; give a later one", p.ID, expires.Format(time.DateOnly), publish.ErrOver)
	case !d.Review.IsZero() && !d.Review.After(now):
		return fmt.Errorf("proposal %d: its review would be on %s: %w; give a later one", p.ID, d.Review.Format(time.DateOnly), publish.ErrOver)
	}
	return nil
}

// lastStep returns the last step of a proposal.
func lastStep(ctx context.Context, v ledger.View, id int64) (last Step, err error) {
	for s, err := range v.StepsOf(ctx, id) {
		if err != nil {
			return last, err
		}
		last = s.Step
	}
	return last, nil
}

// Allowed fails with [ErrState] if the state of the proposal does not allow the decision. A proposal to withdraw can't
// be referred, since no platform can carry it out. If the proposal needs two persons, Allowed fails with
// [ErrSecondPerson] when the person would confirm it without a check by somebody else.
func (d Decision) Allowed(p Proposal, person string, rules publish.Rules) error {
	switch {
	case !p.IsOpen() || d.Verb == Check && p.State == Checked || d.Verb == Refer && p.State == Referred:
		return fmt.Errorf("proposal %d: %w: it is %s", p.ID, ErrState, stateText(p))
	case d.Verb == Refer && p.Withdraw:
		return fmt.Errorf("proposal %d: %w: it is to withdraw an order, which no platform can do; check or refuse it", p.ID, ErrState)
	case d.Verb != Confirm || !rules.NeedsTwo(d.with(p).Category) && !rules.NeedsTwo(p.Category):
		return nil
	case p.State != Checked:
		return fmt.Errorf("proposal %d: %w: it is %s; a first person checks it, then another confirms", p.ID, ErrSecondPerson, p.State)
	case SamePerson(p.Checker, person):
		return fmt.Errorf("proposal %d: %w: %s has checked it; ask a colleague to confirm it", p.ID, ErrSecondPerson, p.Checker)
	}
	return nil
}

// SamePerson reports whether two names are those of one person: case and white space make no difference.
func SamePerson(a, b string) bool {
	return strings.EqualFold(strings.Join(strings.Fields(a), " "), strings.Join(strings.Fields(b), " "))
}

// stateText returns the state of a proposal in words.
func stateText(p Proposal) string {
	if p.State == Checked {
		return "checked already, by " + p.Checker
	}
	return p.State
}
