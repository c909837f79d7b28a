package publish

import (
	"context"
	"errors"
	"fmt"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/nearest"
)

// explain adds a hint to an [ErrNotListed] error about e: the listed entry that covers e, or a listed target that is
// similar.
func (l *Ledger) explain(ctx context.Context, e blocklist.Entry, err error) error {
	if !errors.Is(err, ErrNotListed) {
		return err
	}
	covering, ok, failed := l.Covering(ctx, e)
	if failed != nil {
		return errors.Join(err, failed)
	}
	if ok {
		return fmt.Errorf("%w, but %s covers it", err, covering.Target())
	}
	near, failed := l.near(ctx, e.Target())
	if near != "" {
		return fmt.Errorf("%w; do you mean %s?", errors.Join(err, failed), near)
	}
	return errors.Join(err, failed)
}

// near returns the listed target that is most similar to the given one, or an empty text if none is similar.
func (l *Ledger) near(ctx context.Context, target string) (string, error) {
	var all []string
	for e, err := range l.Entries(ctx) {
		if err != nil {
			return "", err
		}
		if t := e.Target(); t != target && nearest.Word(target, []string{t}) != "" {
			all = append(all, t)
		}
	}
	return nearest.Word(target, all), nil
}
