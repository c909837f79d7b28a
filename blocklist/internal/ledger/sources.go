package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

// metaSources is the key of the table meta under which the sources of proposals are stored. Steps of [StepSource]
// record the SHA-256 of the stored sources.
const metaSources = "sources"

// ReadSources returns the sources of proposals by their names.
func ReadSources[T any](ctx context.Context, v View) (map[string]T, error) {
	all := map[string]T{}
	stored, err := v.Meta(ctx, metaSources)
	if err != nil || stored == "" {
		return all, err
	}
	if err := json.Unmarshal([]byte(stored), &all); err != nil {
		return nil, Damaged("the sources can't be read: %v", err)
	}
	return all, nil
}

// WriteSources stores the sources of proposals. It sets the reference of the [Step]: the argument what, which says what
// has changed, and the SHA-256 of the stored sources.
func WriteSources[T any](ctx context.Context, t *StepTx, all map[string]T, what string) error {
	stored, err := json.Marshal(all)
	if err != nil {
		return err
	}
	t.step.Reference = fmt.Sprintf("%.2000s [%s]", what, sourcesSum(string(stored)))
	_, err = t.tx.ExecContext(ctx, putMeta, metaSources, string(stored))
	return err
}

// sourcesSum returns the SHA-256 of the stored sources, in the form that ends the reference of a step of [StepSource].
func sourcesSum(stored string) string {
	sum := sha256.Sum256([]byte(stored))
	return "sources " + hex.EncodeToString(sum[:])
}

// verifySources fails unless the stored sources are those whose SHA-256 the last step of [StepSource] recorded.
func (v View) verifySources(ctx context.Context) error {
	stored, err := v.Meta(ctx, metaSources)
	if err != nil {
		return err
	}
	var last Step
	for s, err := range v.Steps(ctx, 0, StepSource) {
		if err != nil {
			return err
		}
		last = s
	}
	if last.ID == 0 && stored == "" || strings.HasSuffix(last.Reference, "["+sourcesSum(stored)+"]") {
		return nil
	}
	return Damaged("the sources of proposals are not those that step %d has left", last.ID)
}
