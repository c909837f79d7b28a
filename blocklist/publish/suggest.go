package publish

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/argine-dns/argine/blocklist"
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
		if t := e.Target(); t != target {
			if d := distance(target, t); d <= maxDistance {
				all = append(all, t)
			}
		}
	}
	return nearest(target, all), nil
}

// maxDistance is the maximum edit distance between two similar words.
const maxDistance = 2

// nearest returns the most similar of the words, or an empty text if none is similar.
func nearest(word string, words []string) (best string) {
	least := min(maxDistance+1, len(word))
	for _, w := range words {
		if d := distance(word, w); d < least {
			best, least = w, d
		}
	}
	return best
}

// distance returns the edit distance of two names: the number of octets to be inserted, removed, replaced, or swapped
// with the next octet. If it is greater than maxDistance, the result is maxDistance+1.
func distance(a, b string) int {
	if abs(len(a)-len(b)) > maxDistance {
		return maxDistance + 1
	}
	var before, last []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		if slices.Min(row) > maxDistance {
			return maxDistance + 1
		}
	}
	return row[len(b)]
}

func abs(n int) int { return max(n, -n) }
