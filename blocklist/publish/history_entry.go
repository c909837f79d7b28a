package publish

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist/internal/ledger"
)

// EntryHistory is the history of one target in the ledger.
type EntryHistory struct {
	Target string `json:"target"`
	Covers bool   `json:"covers,omitempty"` // the target is broader than what was asked for, and covers that
	Listed bool   `json:"listed"`           // the ledger lists the target now
	Effect Effect `json:"effect"`           // what subscribers do with the target
	Entry  string `json:"entry,omitempty"`  // the published line, if the target is listed
	// Orders are the lines of the target's orders, oldest first.
	Orders []string `json:"orders,omitempty"`
	// Events are all operations that changed the target, and its urgent orders, oldest first.
	Events []EntryEvent `json:"events"`
	Checks []PageCheck  `json:"checks,omitempty"` // of a page: whether its platform has taken it down, oldest first
}

// EntryEvent is one operation that changed an entry.
type EntryEvent struct {
	Change string `json:"change"`           // one of the constants below
	Before string `json:"before,omitempty"` // the published line before; empty: not listed
	After  string `json:"after,omitempty"`  // the published line afterwards; empty: not listed
	// Given and Withdrawn are lines of orders. They are set only if the entry has several orders.
	Given     []string  `json:"given,omitempty"`
	Withdrawn []string  `json:"withdrawn,omitempty"`
	Operation Operation `json:"operation"`
	// Proposals are the proposals that the operation has confirmed. Checked are the steps in which the first of two
	// persons checked these proposals.
	Proposals []Proposal `json:"proposals,omitempty"`
	Checked   []Step     `json:"checked,omitempty"`
	Publication
}

// Changes of an entry. An urgent order does not change the list: it adds to one release.
const (
	ChangeAdded     = "added"
	ChangeRemoved   = "removed"
	ChangeChanged   = "changed"   // its published line has other attributes
	ChangeOrders    = "orders"    // its orders have changed; its published line has not
	ChangeOrdered   = "ordered"   // one officer listed it by an urgent order
	ChangeWithdrawn = "withdrawn" // one officer withdrew the urgent order
)

// PageCheck is the result of checking whether a listed page is still online.
type PageCheck struct {
	Checked   time.Time `json:"checked"`
	Removed   bool      `json:"removed"` // the platform has removed the page
	Operation Operation `json:"operation"`
}

// EntryHistory returns the history of an entry, a host, an address or a URL, in any form that programs use. The first
// values are about the targets for exactly that text: a name has two, one with all names below it and one without. The
// targets that cover it, now or in the past, follow, most specific first. A target that was never listed has no events.
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

// addOrders adds the standing orders of the listed targets.
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

// histories collects the history of several targets.
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

// proposals returns the proposals about the target of a change that the operation of that change has confirmed.
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

// checked returns the last check step of each proposal. A step that checked several of the proposals is returned once.
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

// maxBehind is the maximum number of proposals about a target that are read to find those which an operation has
// confirmed.
const maxBehind = 1000

// addUrgent adds the urgent orders about the targets. It finds them by the reasons of the operations that put urgent
// orders in force: each reason names the targets with their signs.
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

// urgentLines returns the targets that an operation with urgent orders names in its reason, each with its sign.
func urgentLines(o Operation) (lines []string) {
	what, _, _ := strings.Cut(o.Reason, ": ")
	for part := range strings.SplitSeq(what, ", ") {
		if strings.HasPrefix(part, "+") || strings.HasPrefix(part, "-") {
			lines = append(lines, part)
		}
	}
	return lines
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

// sorted returns the histories in the order in which the subject has its targets. If none of the subject's own targets
// has a history, an empty history of the first one is added.
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
