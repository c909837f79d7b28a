package publish

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
)

// Refusal is an officer's refusal of a root, a release or urgent orders that were not made again since, or the discard
// of a release, see [Ledger.Discard].
type Refusal struct {
	Operation
	Urgent bool // whether the refused document has urgent orders
	// Cancelled reports whether the refusal has cancelled earlier decisions of [Ledger.Override] or [Ledger.EndUrgent],
	// and no such decision was taken since.
	Cancelled bool

	what string // key of the phrase that names the refused document
}

// Refusals returns the refusals since the last pushed release, oldest first. For each kind of document it returns only
// the last refusal, and none if another document of that kind was made after it.
func (l *Ledger) Refusals(ctx context.Context) (all []Refusal, err error) {
	last, err := l.history.LastRelease(ctx)
	if err != nil {
		return nil, err
	}
	drop := func(keys ...string) {
		all = slices.DeleteFunc(all, func(r Refusal) bool { return slices.Contains(keys, r.what) })
	}
	decided := false
	since := ledger.Range{
		After: last.Operation,
		Kinds: []string{KindRefuse, KindDiscard, KindOverride, KindEnd, KindRoot, KindUrgent},
	}
	for o, err := range l.history.Operations(ctx, since) {
		if err != nil {
			return nil, err
		}
		switch o.Kind {
		case KindOverride, KindEnd:
			decided = true
			for i := range all {
				all[i].Cancelled = false
			}
		case KindRoot:
			drop(whatRoot.Key)
		case KindUrgent:
			drop(whatOrders.Key)
		case KindRefuse, KindDiscard:
			r := Refusal{Operation: o, Cancelled: decided, what: whatRefused(o)}
			r.Urgent, decided = r.what == whatOrders.Key, false
			drop(r.what)
			all = append(all, r)
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	return all, l.dropMade(ctx, drop)
}

// dropMade drops the refusals of each kind of document of which a new one is pending. For this, it calls the argument
// drop with the keys of the phrases that name the kind.
func (l *Ledger) dropMade(ctx context.Context, drop func(keys ...string)) error {
	version, err := l.newestRoot()
	if err != nil {
		return err
	}
	if _, err := l.readPendingRoot(version + 1); err == nil {
		drop(whatRoot.Key)
	}
	if p, err := l.waitingRelease(); err != nil || p != nil {
		drop(whatRelease.Key, whatPart.Key)
	}
	_, err = l.PendingUrgent(ctx)
	if err == nil {
		drop(whatOrders.Key)
	}
	if errors.Is(err, ErrNothingPending) || errors.Is(err, blocklist.ErrDamaged) { // Status says so
		err = nil
	}
	return err
}

// whatRefused returns the key of the phrase that names the refused document, or an empty text if there is none.
func whatRefused(o Operation) string {
	said := CauseOf(o).Said
	what := slices.IndexFunc(said, func(m Message) bool { return strings.HasPrefix(m.Key, "what.") })
	if what < 0 {
		return ""
	}
	return said[what].Key
}
