package guard_test

import (
	"bufio"
	"compress/gzip"
	"iter"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/guard"
)

// Every popular name that a real list is known to block trips the guard, at the entry that blocks it. The other
// popular names, which the list doesn't block, trip nothing but at their www.
func TestRealCollisions(t *testing.T) {
	list, popular := unzip(t, "ARGINE_REAL_LIST"), unzip(t, "ARGINE_REAL_POPULAR")
	collisions := unzip(t, "ARGINE_REAL_COLLISIONS") // source, rank, popular name, entry, list: separated by tabs
	const unblocked = 2_000_000                      // a rank for those that the list doesn't block
	limits := guard.Limits{}
	blocking := map[string]bool{}
	for line := range collisions {
		if field := strings.Split(line, "\t"); len(field) == 5 && line[0] != '#' {
			rank, err := strconv.Atoi(field[1])
			require.NoError(t, err)
			limits.Popular = append(limits.Popular, guard.Popular{Name: name(t, field[2]), Rank: rank})
			blocking[field[3]] = true
		}
	}
	for line := range popular {
		limits.Popular = append(limits.Popular, guard.Popular{Name: name(t, line), Rank: unblocked})
	}
	start, empty := time.Now(), heap()
	g := newGuard(t, limits)
	t.Logf("made for %d popular names in %v, %d MiB", len(limits.Popular), time.Since(start).Round(time.Millisecond), heap()-empty)

	u := guard.Update{Changes: additions(list)}
	for range list {
		u.After++
	}
	start, empty = time.Now(), heap()
	u.Entries = func(yield func(blocklist.Entry, error) bool) {
		entries(list)(yield)
		t.Logf("%d MiB at the most", heap()-empty)
	}
	r := check(t, g, u)
	t.Logf("checked %d entries in %v: %v", u.After, time.Since(start).Round(time.Millisecond), r.Counts)
	for line := range list {
		for _, f := range g.Entry(parse(t, line)) {
			if f.Check == guard.CheckPopular {
				delete(blocking, f.Entry)
				if strings.HasSuffix(f.Why, strconv.Itoa(unblocked)) {
					assert.Contains(t, f.Why, "it is the web site of", "the list blocks %s", f.Entry)
				}
			}
		}
	}
	assert.Empty(t, blocking)
}

func unzip(t *testing.T, variable string) iter.Seq[string] {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		t.Skipf("%s names no file compressed with gzip", variable)
	}
	return func(yield func(string) bool) {
		f, err := os.Open(path)
		require.NoError(t, err)
		defer f.Close()
		z, err := gzip.NewReader(f)
		require.NoError(t, err)
		for scan := bufio.NewScanner(z); scan.Scan(); {
			if !yield(scan.Text()) {
				return
			}
		}
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc >> 20
}
