package publish

import (
	"context"
	"iter"

	"github.com/argine-dns/argine/blocklist/internal/ledger"
)

// Text is a text of the ledger to search in. Cursor is where reading goes on after it. A text that is empty only moves
// the cursor.
type Text = ledger.Text

// TextKind is a kind of texts.
type TextKind = ledger.TextKind

// The kinds of texts.
const (
	TextsOfTargets    = ledger.TextsOfTargets    // targets that were ever listed, for [Ledger.FoundTargets]
	TextsOfReferences = ledger.TextsOfReferences // references of orders, for [Ledger.FoundTargets]
	TextsOfOperations = ledger.TextsOfOperations // reasons, references and authors of operations, by their IDs
	TextsOfProposals  = ledger.TextsOfProposals  // targets, references, notes and decisions of proposals, by their IDs
)

// Texts yields the texts of a kind that come after a cursor, in the order in which they were recorded. The last value
// may be an error.
func (l *Ledger) Texts(ctx context.Context, kind TextKind, after int64) iter.Seq2[Text, error] {
	return l.history.Texts(ctx, kind, after)
}

// FoundTargets returns the targets that texts with these IDs are about, in the order of the IDs, no more than most.
func (l *Ledger) FoundTargets(ctx context.Context, kind TextKind, ids []int64, most int) (targets []string, err error) {
	if kind == TextsOfTargets {
		return l.history.TargetsOf(ctx, ids[:min(len(ids), most)])
	}
	for _, id := range ids {
		some, err := l.history.TargetsFrom(ctx, id, most-len(targets))
		if targets = append(targets, some...); err != nil || len(targets) >= most {
			return targets, err
		}
	}
	return targets, nil
}
