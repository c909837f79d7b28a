package guard_test

import (
	"fmt"
	"testing"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/guard"
)

// BenchmarkOwnAddition measures what an addition to a list of one's own costs while it is compiled.
func BenchmarkOwnAddition(b *testing.B) {
	list := make([]blocklist.Entry, 1<<16)
	for i := range list {
		list[i] = parse(b, fmt.Sprintf("site%d.%s", i, []string{"com", "net", "org", "co.uk", "other.example"}[i%5]))
	}
	additions := newGuard(b, guard.Limits{}).Own().Additions(true)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		additions.Add(list[i%len(list)])
	}
}
