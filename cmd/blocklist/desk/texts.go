package desk

import (
	"context"

	"github.com/argine-dns/argine/blocklist/publish"
)

// texts has the texts that a search looks through, by kind.
type texts struct {
	targets, references, operations, proposals, decisions *haystack
}

func newTexts() texts {
	return texts{
		targets: &haystack{kind: publish.TextsOfTargets}, references: &haystack{kind: publish.TextsOfReferences},
		operations: &haystack{kind: publish.TextsOfOperations}, proposals: &haystack{kind: publish.TextsOfProposals},
		decisions: &haystack{kind: publish.TextsOfDecisions},
	}
}

// read reads all texts from the ledger in advance, so that the first search need not wait for them.
func (t texts) read(ctx context.Context, l *publish.Ledger) error {
	for _, h := range []*haystack{t.targets, t.references, t.operations, t.proposals, t.decisions} {
		if _, _, _, err := h.read(ctx, l); err != nil {
			return err
		}
	}
	return nil
}
