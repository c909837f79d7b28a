package publish

import (
	"context"
	"iter"

	"github.com/argine-dns/argine/blocklist/internal/ledger"
)

// Text is a searchable text in the ledger. To continue reading after a text, pass its Cursor to [Ledger.Texts]. An
// empty text only moves the cursor.
type Text = ledger.Text

// TextKind says which texts of the ledger to search.
type TextKind = ledger.TextKind

// The kinds of texts.
const (
	TextsOfTargets    = ledger.TextsOfTargets    // targets that were ever listed, for [Ledger.FoundTargets]
	TextsOfReferences = ledger.TextsOfReferences // references of orders, for [Ledger.FoundTargets]
	TextsOfOperations = ledger.TextsOfOperations // reasons, references and authors of operations, by their IDs
	TextsOfProposals  = ledger.TextsOfProposals  // targets, references, notes and decisions of proposals, by their IDs
	TextsOfDecisions  = ledger.TextsOfDecisions  // reasons, references and authors of decisions on proposals, by their IDs
)

// Texts yields the texts of a kind that come after the given cursor, in the order in which they were recorded. The
// cursor 0 is before all texts. The last value may be an error.
func (l *Ledger) Texts(ctx context.Context, kind TextKind, cursor int64) iter.Seq2[Text, error] {
	return l.history.Texts(ctx, kind, cursor)
}

// FoundTargets returns the targets that texts with these IDs are about, in the order of the IDs, at most limit targets.
func (l *Ledger) FoundTargets(ctx context.Context, kind TextKind, ids []int64, limit int,
) (targets []string, err error) {
	if kind == TextsOfTargets {
		return l.history.TargetsOf(ctx, ids[:min(len(ids), limit)])
	}
	for _, id := range ids {
		some, err := l.history.TargetsFrom(ctx, id, limit-len(targets))
		if targets = append(targets, some...); err != nil || len(targets) >= limit {
			return targets, err
		}
	}
	return targets, nil
}
