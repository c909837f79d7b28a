package publish

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
)

// Edit is an operation that gives and withdraws orders one by one, see [Ledger.Edit].
type Edit struct {
	*ledger.Tx
	by      Audit
	screen  *screen
	checker *checker
}

// Edit runs fill as one atomic operation: if fill returns an error, nothing is changed. It is meant for packages of
// this module.
func (l *Ledger) Edit(ctx context.Context, kind string, by Audit, fill func(*Edit) error) error {
	return l.history.Change(ctx, kind, by, func(t *ledger.Tx) error {
		e, err := l.newEdit(ctx, t, by)
		if err != nil {
			return err
		}
		return fill(e)
	})
}

func (l *Ledger) newEdit(ctx context.Context, t *ledger.Tx, by Audit) (*Edit, error) {
	s, err := l.newScreen(ctx, by)
	if err != nil {
		return nil, err
	}
	rules, err := l.Rules(ctx)
	if err != nil {
		return nil, err
	}
	c, err := rules.compile()
	return &Edit{Tx: t, by: by, screen: s, checker: c}, err
}

// CheckReason fails with [ErrRules] if the list's rules require a reason and the operation has none.
func (e *Edit) CheckReason() error { return e.checker.checkReason(e.by) }

// Give gives orders that [Edit.Examine] has accepted. It does not check them against guards and rules again.
func (e *Edit) Give(ctx context.Context, entries []blocklist.Entry) error {
	_, err := e.Put(ctx, eachEntry(entries), func(blocklist.Entry) func() bool { return nil }, nil)
	return err
}

// Examine returns the guards' findings about an order. It fails with [ErrRules] if the order breaks a rule, and returns
// a [*guard.HeldError] if the guards hold the entry and there is no override.
func (e *Edit) Examine(ctx context.Context, order blocklist.Entry) ([]guard.Finding, error) {
	if err := e.checker.check(order); err != nil {
		return nil, err
	}
	found := e.screen.guard.Entry(order)
	if len(found) == 0 || e.screen.override {
		return found, nil
	}
	listed, ok, err := e.Lookup(ctx, order.Target())
	if err != nil || ok && !listed.Monitor {
		return found, err
	}
	return found, held(found)
}

// held returns a [*guard.HeldError] if one of the findings holds an entry, and nil otherwise.
func held(found []guard.Finding) error {
	report := guard.Report{Findings: found}
	for _, f := range found {
		if f.Severity == guard.SeverityHold {
			report.Held++
		}
	}
	if report.Held == 0 {
		return nil
	}
	report.Reported = uint64(len(found)) - report.Held
	return &guard.HeldError{Report: &report}
}

// Examiner checks orders against the guards, the rules and the listed entries. It changes nothing.
type Examiner struct {
	ledger  *Ledger
	guard   *guard.Guard
	checker *checker
}

// NewExaminer returns an examiner with the current guards and rules.
func (l *Ledger) NewExaminer(ctx context.Context) (*Examiner, error) {
	g, err := l.guard(ctx)
	if err != nil {
		return nil, err
	}
	rules, err := l.Rules(ctx)
	if err != nil {
		return nil, err
	}
	c, err := rules.compile()
	return &Examiner{ledger: l, guard: g, checker: c}, err
}

// Examined is the result of [Examiner.Examine] for one order.
type Examined struct {
	Listed string `json:"listed,omitempty"` // the target's published line; empty: the target is not listed
	// Covered is the line of the most specific listed entry that covers the target. It is empty if there is none.
	Covered string          `json:"covered,omitempty"`
	Guards  []guard.Finding `json:"guards,omitempty"`
	Breach  *RuleError      `json:"breach,omitempty"` // the rule of the list that the order breaks; nil: none
	// Protected is the protected host of an order for a page: the page passes, the whole host would be held. Empty: the
	// host is not protected, or the order is not for a page.
	Protected string `json:"-"`
}

// Held reports whether the guards would hold the order.
func (e Examined) Held() bool {
	return slices.ContainsFunc(e.Guards, func(f guard.Finding) bool { return f.Severity == guard.SeverityHold })
}

// Examine examines orders, and returns one result for each, in the same order. It looks up the targets of all orders at
// once.
func (x *Examiner) Examine(ctx context.Context, orders []blocklist.Entry) ([]Examined, error) {
	subjects := make([]subject, len(orders))
	targets := map[string]bool{}
	for i, order := range orders {
		subjects[i] = subjectOf(order)
		for _, target := range append(subjects[i].covers, subjects[i].name) {
			targets[target] = true
		}
	}
	listed, err := x.ledger.history.Listed(ctx, slices.Sorted(maps.Keys(targets)))
	if err != nil {
		return nil, fmt.Errorf("looking for what lists or covers %s and others: %w", orders[0].Target(), err)
	}
	all := make([]Examined, len(orders))
	for i, order := range orders {
		all[i] = x.examine(order, subjects[i], listed)
	}
	return all, nil
}

// examine examines one order, whose subject is s. The map listed has current entries by target: that of the order's own
// target, and those of targets that cover it.
func (x *Examiner) examine(order blocklist.Entry, s subject, listed map[string]blocklist.Entry) (e Examined) {
	own, ok := listed[s.name]
	if ok {
		e.Listed = own.String()
	}
	if i := slices.IndexFunc(s.covers, func(target string) bool { return listed[target].Key() != "" }); i >= 0 {
		e.Covered = listed[s.covers[i]].String()
	}
	if !ok || own.Monitor {
		e.Guards, e.Protected = x.guard.Entry(order), x.guard.ProtectedHost(order)
	}
	_ = errors.As(x.checker.check(order), &e.Breach)
	return e
}
