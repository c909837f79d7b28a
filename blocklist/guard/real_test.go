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

// Every popular name that a real list is known to block trips the guard, at the entry that blocks it. The other popular names,
// which the list doesn't block, trip nothing.
func TestRealCollisions(t *testing.T) {
	list, popular := unzip(t, "ARGINE_REAL_LIST"), unzip(t, "ARGINE_REAL_POPULAR")
	collisions := unzip(t, "ARGINE_REAL_COLLISIONS") // source, rank, popular name, entry, list: separated by tabs
	var limits guard.Limits
	limits.Keep = 100_000
	blocking := map[string]bool{}
	for line := range collisions {
		if field := strings.Split(line, "\t"); len(field) == 5 && line[0] != '#' {
			name, err := blocklist.ParseName(field[2])
			require.NoError(t, err)
			rank, err := strconv.Atoi(field[1])
			require.NoError(t, err)
			limits.Popular = append(limits.Popular, guard.Popular{Name: name, Rank: rank})
			blocking[field[3]] = true
		}
	}
	for line := range popular {
		name, err := blocklist.ParseName(line)
		require.NoError(t, err)
		limits.Popular = append(limits.Popular, guard.Popular{Name: name, Rank: 2_000_000})
	}
	start := time.Now()
	g, err := guard.New(limits)
	require.NoError(t, err)
	t.Logf("made of %d popular names in %v, heap %d MiB", len(limits.Popular), time.Since(start), heap())
	u := guard.Update{Entries: entries(list)}
	for range list {
		u.After++
	}
	u.Changes = additions(u.Entries)
	start = time.Now()
	report, err := g.Check(u)
	require.NoError(t, err)
	t.Logf("checked %d entries in %v, heap %d MiB: %v", u.After, time.Since(start), heap(), report.Counts)
	for _, f := range report.Findings {
		if f.Check == guard.CheckPopular {
			assert.NotContains(t, f.Why, "2000000")
			delete(blocking, f.Entry)
		}
	}
	assert.Empty(t, blocking)
	runtime.KeepAlive(g)
	if os.Getenv("DBG") != "" {
		n := map[guard.Check]int{}
		for _, f := range report.Findings {
			if n[f.Check]++; n[f.Check] < 40 {
				t.Log(f)
			}
		}
	}
}

func unzip(t *testing.T, variable string) iter.Seq[string] {
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
