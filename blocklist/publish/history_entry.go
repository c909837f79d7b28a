package publish

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/argine-dns/argine/blocklist/internal/ledger"
)

// EntryHistory is the history of one target in the ledger.
type EntryHistory struct {
	Target string `json:"target"`
	// Covers reports whether the target is broader than what was asked about, and covers it.
	Covers bool   `json:"covers,omitempty"`
	Listed bool   `json:"listed"`          // whether the ledger lists the target now
	Effect Effect `json:"effect"`          // what subscribers do with the target
	Entry  string `json:"entry,omitempty"` // the published line; empty: the target is not listed
	// Orders are the current orders of the target as lines, oldest first.
	Orders []string `json:"orders,omitempty"`
	// Events are the operations that changed the target, and those with urgent orders about it, oldest first.
	Events []EntryEvent `json:"events"`
	// Checks has the checks whether the platform still has the page, oldest first. Only a page has checks.
	Checks []PageCheck `json:"checks,omitempty"`
	// Decisions are the decisions on proposals about the target, oldest first, except for proposals that an event has
	// confirmed.
	Decisions []DecisionAbout `json:"decisions,omitempty"`
}

// EntryEvent is what one operation did to an entry.
type EntryEvent struct {
	Change string `json:"change"`           // ChangeAdded, ChangeRemoved or another change below
	Before string `json:"before,omitempty"` // the published line before; empty: not listed
	After  string `json:"after,omitempty"`  // the published line afterwards; empty: not listed
	// Given and Withdrawn are the orders that the operation gave and withdrew, as lines. They are set only if the entry
	// has several orders.
	Given     []string  `json:"given,omitempty"`
	Withdrawn []string  `json:"withdrawn,omitempty"`
	Operation Operation `json:"operation"`
	// Proposals are the proposals that the operation has confirmed. Checked has the last [Step] in which a first person
	// approved each of these proposals.
	Proposals []Proposal `json:"proposals,omitempty"`
	Checked   []Step     `json:"checked,omitempty"`
	Publication
}

// Changes of an entry. ChangeOrdered and ChangeWithdrawn are about urgent orders, which do not change the list: they
// add to one release.
const (
	ChangeAdded     = "added"
	ChangeRemoved   = "removed"
	ChangeChanged   = "changed"   // the attributes of the published line have changed
	ChangeOrders    = "orders"    // the orders have changed, the published line has not
	ChangeOrdered   = "ordered"   // one officer listed the target by an urgent order
	ChangeWithdrawn = "withdrawn" // one officer withdrew the urgent order
)

// PageCheck is the result of a check whether a platform still has a listed page.
type PageCheck struct {
	Checked   time.Time `json:"checked"`
	Removed   bool      `json:"removed"` // whether the platform has removed the page
	Operation Operation `json:"operation"`
}

// EntryHistory returns the history of an entry, a host, an address or a URL, in any usual spelling. The first values
// are about the targets that mean exactly that text: for a name there are two, the name with all names below it, and
// the name alone. Then come the broader targets that cover, or have covered, what the text means, most specific first.
// A target that was never listed has no events.
func (l *Ledger) EntryHistory(ctx context.Context, text string) ([]*EntryHistory, error) {
	s, err := readSubject(text)
	if err != nil {
		return nil, err
	}
	changes, err := l.history.History(ctx, slices.Concat(s.own, s.covers))
	if err != nil {
		return nil, err
	}
	h := &histories{releaseLookup: l.releaseLookup(ctx), by: map[string]*EntryHistory{}}
	for _, c := range changes {
		if err := h.add(ctx, c); err != nil {
			return nil, err
		}
	}
	if err := h.addUrgent(ctx, slices.Concat(s.own, s.covers)); err != nil {
		return nil, err
	}
	if err := h.addChecks(ctx, s.own); err != nil {
		return nil, err
	}
	if err := h.addDecisions(ctx, s.own, s.covers); err != nil {
		return nil, err
	}
	all := h.sorted(s)
	if err := h.addEffects(ctx, changes); err != nil {
		return nil, err
	}
	return all, h.addOrders(ctx)
}

func (h *histories) addEffects(ctx context.Context, changes []ledger.TargetChange) error {
	all, err := h.effectsOf(ctx, slices.Collect(maps.Keys(h.by)), changes, time.Now())
	for target, of := range h.by {
		of.Effect = all[target]
	}
	return err
}

// addOrders adds the current orders of each listed target.
func (h *histories) addOrders(ctx context.Context) error {
	for target, of := range h.by {
		if !of.Listed {
			continue
		}
		standing, err := h.history.Orders(ctx, target)
		if err != nil {
			return err
		}
		for _, o := range standing {
			of.Orders = append(of.Orders, o.String())
		}
	}
	return nil
}

// histories collects the history of several targets, by target.
type histories struct {
	*releaseLookup
	by map[string]*EntryHistory
}

func (h *histories) of(target string) *EntryHistory {
	if h.by[target] == nil {
		h.by[target] = &EntryHistory{Target: target}
	}
	return h.by[target]
}

func (h *histories) add(ctx context.Context, c ledger.TargetChange) (err error) {
	of := h.of(c.Target)
	of.Listed, of.Entry = c.After != "", c.After
	event := EntryEvent{Before: c.Before, After: c.After, Given: c.Given, Withdrawn: c.Withdrawn, Operation: c.Operation}
	switch {
	case c.Before == c.After:
		event.Change = ChangeOrders
	case c.Before == "":
		event.Change = ChangeAdded
	case c.After == "":
		event.Change = ChangeRemoved
	default:
		event.Change = ChangeChanged
	}
	if event.Proposals, err = h.proposals(ctx, c); err != nil {
		return err
	}
	if event.Checked, err = h.checked(ctx, event.Proposals); err != nil {
		return err
	}
	event.Publication, err = h.find(ctx, c.Operation.ID)
	of.Events = append(of.Events, event)
	return err
}

// proposals returns the proposals that the operation of the change c has confirmed and that are about the target of c.
func (h *histories) proposals(ctx context.Context, c ledger.TargetChange) (all []Proposal, err error) {
	if c.Operation.Kind != KindConfirm {
		return nil, nil
	}
	for p, err := range h.history.ProposalsAbout(ctx, c.Target, maxBehind) {
		if err != nil {
			return nil, err
		}
		if p.Operation == c.Operation.ID {
			all = append(all, p)
		}
	}
	return all, nil
}

// checked returns for each proposal the last [Step] in which a first person approved it. A step for several of the
// proposals is returned once.
func (h *histories) checked(ctx context.Context, all []Proposal) (steps []Step, err error) {
	for _, p := range all {
		var last Step
		for s, err := range h.history.StepsOf(ctx, p.ID) {
			if err != nil {
				return nil, err
			}
			if s.Kind == ledger.StepCheck {
				last = s.Step
			}
		}
		if last.ID > 0 && !slices.Contains(steps, last) {
			steps = append(steps, last)
		}
	}
	return steps, nil
}

// maxBehind is the maximum number of proposals about a target that are read to find those that an operation has
// confirmed.
const maxBehind = 1000

// addUrgent adds the urgent orders about the targets. It finds them in the reasons of the operations that put urgent
// orders in force: a reason names each target after + (ordered) or - (withdrawn).
func (h *histories) addUrgent(ctx context.Context, targets []string) error {
	for o, err := range h.history.Operations(ctx, ledger.Range{Kinds: []string{KindUrgent}}) {
		if err != nil {
			return err
		}
		for _, line := range urgentLines(o) {
			event := EntryEvent{Operation: o, Change: ChangeOrdered}
			if line[0] == '-' {
				event.Change = ChangeWithdrawn
			}
			if target := line[1:]; slices.Contains(targets, target) {
				of := h.of(target)
				of.Events = append(of.Events, event)
			}
		}
	}
	return nil
}

func (h *histories) addChecks(ctx context.Context, targets []string) error {
	for c, err := range h.history.ChecksOf(ctx, targets) {
		if err != nil {
			return err
		}
		o, err := h.history.OperationByID(ctx, c.Operation)
		if err != nil {
			return ledger.Damaged("a check of %.80q belongs to no operation: %v", c.Target, err)
		}
		of := h.of(c.Target)
		of.Checks = append(of.Checks, PageCheck{Checked: c.Checked, Removed: c.Removed, Operation: o})
	}
	return nil
}

// sorted returns the histories in the order of the subject's targets: first its own targets, then the covering ones. If
// none of its own targets has a history, the result begins with an empty history.
func (h *histories) sorted(s subject) (all []*EntryHistory) {
	if !slices.ContainsFunc(s.own, func(target string) bool { return h.by[target] != nil }) {
		h.of(s.own[0])
	}
	for i, target := range slices.Concat(s.own, s.covers) {
		of := h.by[target]
		if of == nil {
			continue
		}
		of.Covers = i >= len(s.own)
		slices.SortStableFunc(of.Events, func(a, b EntryEvent) int { return cmp.Compare(a.Operation.ID, b.Operation.ID) })
		all = append(all, of)
	}
	return all
}
