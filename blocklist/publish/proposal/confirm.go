package proposal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/publish"
)

// confirm confirms proposals: it gives or withdraws the order of each, and records all of them as one [Step].
func (r *ruling) confirm(ctx context.Context, e *publish.Edit) error {
	var orders []blocklist.Entry
	var confirmed []int // indexes of results
	done := map[int64]bool{}
	for i := range r.results {
		p, err := r.find(ctx, e.View, i)
		if err != nil {
			return err
		}
		if r.results[i].Err == nil && done[p.ID] {
			r.results[i].Err = fmt.Errorf("proposal %d: %w: it is given twice", p.ID, ErrState)
		}
		if r.results[i].Err != nil {
			continue
		}
		done[p.ID] = true
		given, err := r.order(ctx, e, r.with(p), i)
		if r.results[i].Err, err = decision(p, err); err != nil {
			return err
		}
		if r.results[i].Err == nil {
			orders, confirmed = append(orders, given...), append(confirmed, i)
		}
	}
	if len(confirmed) == 0 {
		return errNothing
	}
	if err := e.Give(ctx, orders); err != nil {
		return err
	}
	return r.recordConfirmed(ctx, e, confirmed)
}

// order withdraws the order that a proposal to withdraw is about. For a proposal to list, it examines the new order and
// returns it, and sets the guards' findings in the result with index i.
func (r *ruling) order(ctx context.Context, e *publish.Edit, p Proposal, i int) ([]blocklist.Entry, error) {
	if err := e.CheckReason(); err != nil {
		return nil, err
	}
	if p.Withdraw {
		return nil, r.withdraw(ctx, e, p)
	}
	o, err := order(p)
	if err == nil {
		r.results[i].Guards, err = e.Examine(ctx, o)
	}
	return []blocklist.Entry{o}, err
}

// decision classifies an error about proposal p. It returns the error as own if only this proposal fails, and as fatal
// if the whole decision must end.
func decision(p Proposal, err error) (own, fatal error) {
	switch {
	case err == nil:
		return nil, nil
	case errors.Is(err, publish.ErrRules), errors.Is(err, blocklist.ErrHeld), errors.Is(err, publish.ErrNotListed),
		errors.Is(err, publish.ErrNoOrder), errors.Is(err, blocklist.ErrMalformed):
		return fmt.Errorf("proposal %d: %w", p.ID, err), nil
	}
	return nil, err
}

// withdraw withdraws the order that a proposal to withdraw is about: the order chosen in [Decision].Orders, or else the
// one with the proposal's reference. Without a reference, it withdraws all orders that come from the proposal's source.
func (r *ruling) withdraw(ctx context.Context, e *publish.Edit, p Proposal) error {
	if chosen, ok := r.Orders[p.ID]; ok {
		return e.Withdraw(ctx, p.Target, chosen)
	}
	if p.Reference != "" {
		return e.Withdraw(ctx, p.Target, p.Reference)
	}
	standing, err := e.Orders(ctx, p.Target)
	if err != nil {
		return err
	}
	if len(standing) == 0 {
		return publish.ErrNotListed
	}
	found := false
	for _, o := range standing {
		if list, _, _ := strings.Cut(o.Source, "@"); list == p.Source {
			found = true
			if err := e.Withdraw(ctx, p.Target, o.Reference); err != nil {
				return err
			}
		}
	}
	if !found {
		return fmt.Errorf("%w: none of its orders came from %s; say which one to withdraw: %s", publish.ErrNoOrder, p.Source, ledger.References(standing))
	}
	return nil
}

// recordConfirmed records the confirmation of proposals as one [Step], and sets the operation's reference to their IDs.
// The argument confirmed has the indexes of the proposals in r.results.
func (r *ruling) recordConfirmed(ctx context.Context, e *publish.Edit, confirmed []int) error {
	var ids []int64
	err := e.Step(ctx, string(Confirm), r.by, func(t *ledger.StepTx) error {
		for _, i := range confirmed {
			p := r.results[i].Proposal
			change := r.attributes()
			change.Operation, change.State = e.OperationID(), Listed
			if p.Withdraw {
				change.State = Delisted
			}
			var err error
			if r.results[i].Proposal, err = t.Update(ctx, p, change); err != nil {
				return err
			}
			ids = append(ids, p.ID)
		}
		return nil
	})
	e.SetReference(idsText(ids))
	if err == nil && r.by.Reason == "" {
		err = r.adoptReason(ctx, e, ids)
	}
	return err
}

// adoptReason sets the operation's reason to the reason that was given when the proposals were checked, if it is the
// same for all of them. A person who confirms without a reason agrees with that reason.
func (r *ruling) adoptReason(ctx context.Context, e *publish.Edit, ids []int64) error {
	reasons := map[string]bool{}
	for _, id := range ids {
		reason := ""
		for s, err := range e.StepsOf(ctx, id) {
			if err != nil {
				return err
			}
			if s.Kind == ledger.StepCheck {
				reason = s.Reason
			}
		}
		if reasons[reason] = true; len(reasons) > 1 {
			return nil
		}
	}
	for reason := range reasons {
		by := r.by
		if by.Reason = reason; by.Check() == nil { // it may be too long beside the reason of an override
			e.SetReason(reason)
		}
	}
	return nil
}

// maxIDs is the length, in bytes, after which the list of proposals in an operation's reference is cut.
const maxIDs = 1 << 10

// idsText returns a text that names proposals, such as "proposals 3-9, 12" or "proposal 15".
func idsText(ids []int64) string {
	slices.Sort(ids)
	text := "proposals "
	if len(ids) == 1 {
		text = "proposal "
	}
	for i := 0; i < len(ids); {
		n := i + 1
		for n < len(ids) && ids[n] == ids[n-1]+1 {
			n++
		}
		if len(text) > maxIDs {
			return fmt.Sprintf("%s and %d more", strings.TrimSuffix(text, ", "), len(ids)-i)
		}
		if text += fmt.Sprint(ids[i]); n-1 > i {
			text += fmt.Sprintf("-%d", ids[n-1])
		}
		if i = n; i < len(ids) {
			text += ", "
		}
	}
	return text
}

// Confirmed returns the IDs of the proposals that an operation has confirmed, at most limit IDs. It reports whether
// there are more.
func Confirmed(o publish.Operation, limit int) (ids []int64, more bool) {
	_, list, _ := strings.Cut(o.Reference, " ")
	if o.Kind != publish.KindConfirm {
		return nil, false
	}
	list, _, more = strings.Cut(list, " and ")
	for part := range strings.SplitSeq(list, ", ") {
		first, last, isRange := strings.Cut(part, "-")
		from, err := strconv.ParseInt(first, 10, 64)
		to := from
		if err == nil && isRange {
			to, err = strconv.ParseInt(last, 10, 64)
		}
		if err != nil {
			return ids, more // an altered text names no more
		}
		for id := from; id <= to; id++ {
			if len(ids) == limit {
				return ids, true
			}
			ids = append(ids, id)
		}
	}
	return ids, more
}
