package guard_test

import (
	"iter"

	"github.com/argine-dns/argine/blocklist"
)

func entries(lines iter.Seq[string]) iter.Seq2[blocklist.Entry, error] {
	return func(yield func(blocklist.Entry, error) bool) {
		for line := range lines {
			if !yield(blocklist.ParseEntry(line)) {
				return
			}
		}
	}
}

func additions(entries iter.Seq2[blocklist.Entry, error]) iter.Seq2[blocklist.Change, error] {
	return func(yield func(blocklist.Change, error) bool) {
		for e, err := range entries {
			if !yield(blocklist.Change{Entry: e}, err) {
				return
			}
		}
	}
}
