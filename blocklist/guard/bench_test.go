package guard_test

import (
	"fmt"
	"testing"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/guard"
)

// BenchmarkCheck measures what a harmless addition costs, beside a hundred thousand popular names: to check, and to
// walk as an entry for the sake of parents.
func BenchmarkCheck(b *testing.B) {
	popular := make([]guard.Popular, 100_000)
	for i := range popular {
		popular[i] = guard.Popular{Name: name(b, fmt.Sprintf("www.site%d.example", i)), Rank: i + 1}
	}
	g := newGuard(b, guard.Limits{Popular: popular})
	list := make([]blocklist.Entry, 1<<16)
	for i := range list {
		list[i] = parse(b, fmt.Sprintf("host%d.other%d.example", i, i%1000))
	}
	each := func(yield func(blocklist.Entry, error) bool) {
		for i := range b.N {
			if !yield(list[i%len(list)], nil) {
				return
			}
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	check(b, g, guard.Update{After: uint64(b.N), Entries: each, Changes: func(yield func(blocklist.Change, error) bool) {
		for e := range each {
			if !yield(blocklist.Change{Entry: e}, nil) {
				return
			}
		}
	}})
}
