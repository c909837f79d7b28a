package subscribe_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/blocklist/internal/trust/trusttest"
	"github.com/argine-dns/argine/blocklist/subscribe"
)

// BenchmarkFollow1M applies a snapshot of a million names, then a delta and two deltas at once of 100,000 changes each.
func BenchmarkFollow1M(b *testing.B) {
	a := trusttest.NewAgency(b, online.Key)
	m := a.NewMirror(online)
	m.Expires = time.Now().Add(hour)
	lines := make([]string, 1_000_000)
	for i := range lines {
		lines[i] = fmt.Sprintf("n%07d.example category=test", i)
	}
	releases := []trusttest.Release{a.Release(1, lines...)}
	for serial := 2; serial <= 4; serial++ {
		var changes []string
		for i := range 100_000 {
			changes = append(changes, fmt.Sprintf("+n%07d.s%d.test", i, serial))
		}
		releases = append(releases, a.Delta(releases[serial-2], changes...))
	}
	g, err := guard.New(guard.Limits{MaxGrowth: 1000})
	require.NoError(b, err)
	steps := []struct {
		name   string
		newest int // index of the release
	}{{"snapshot", 0}, {"delta", 1}, {"deltas", 3}}
	for i, step := range steps {
		b.Run(step.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				store, err := blocklist.Open(b.TempDir(), blocklist.Options{})
				require.NoError(b, err)
				s, err := subscribe.New(store, subscribe.Config{List: a.List, Root: a.Roots[0], Origins: []string{m.Dir}, Guard: g})
				require.NoError(b, err)
				for _, before := range steps[:i] {
					m.Publish(releases[before.newest])
					_, err = s.Refresh(b.Context())
					require.NoError(b, err)
				}
				m.Publish(releases[step.newest])
				b.StartTimer()
				_, err = s.Refresh(b.Context())
				b.StopTimer()
				require.NoError(b, err)
				require.EqualValues(b, step.newest+1, s.Status().Serial)
				require.NoError(b, store.Close())
				b.StartTimer()
			}
		})
	}
}
