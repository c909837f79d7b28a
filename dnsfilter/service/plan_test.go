package service_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/service"
)

// folderState returns the names, sizes and times of all files below a folder.
func folderState(t *testing.T, dir string) (state map[string]string) {
	t.Helper()
	state = map[string]string{}
	require.NoError(t, filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			state[path] = info.ModTime().String()
		}
		return err
	}))
	return state
}

func TestPlanOfAReload(t *testing.T) {
	t.Parallel()
	const lists = "lists:\n  - {name: a, file: a.txt}\n  - {name: b, file: b.txt}\n  - {name: c, file: c.txt}\n"
	r := newFolder(t, lists)
	r.write(t, "a.txt", names(10))
	r.write(t, "b.txt", "b.test\n")
	r.write(t, "c.txt", "c.test\n")
	r.write(t, "new.txt", "new.test\nother.test\n")
	r.start(t)
	p, err := r.control().Plan(t.Context())
	require.NoError(t, err)
	assert.True(t, p.IsEmpty(), "%+v", p)

	// nothing takes these up by itself: they take something away
	r.settings(t, "# another way to write it\nlists:\n  - name: a\n    file: a.txt\n  - {name: c, file: c.txt, action: refused}\n  - {name: new, file: new.txt}\nmetrics: 127.0.0.1:9\n")
	before := folderState(t, filepath.Join(r.dir, "state", "lists"))
	p, err = r.control().Plan(t.Context())
	require.NoError(t, err)
	assert.Equal(t, config.Changes{
		Added: []string{"new"}, Changed: []string{"c"}, Removed: []string{"b"}, Keys: []string{"metrics"}, Restart: []string{"metrics"},
		Lost: []string{"list b", "action nxdomain of list b"},
	}, p.Changes)
	assert.Equal(t, []service.FileChange{{List: "new", File: filepath.Join(r.dir, "new.txt"), After: 2}}, p.Files)
	status, err := r.control().Status(t.Context())
	require.NoError(t, err)
	assert.Len(t, status.Lists, 3)
	assert.Equal(t, before, folderState(t, filepath.Join(r.dir, "state", "lists")))
	assert.Equal(t, dns.RcodeSuccess, r.rcode(t, "new.test."))

	r.settings(t, "lists: [\n")
	_, err = r.control().Plan(t.Context())
	require.ErrorContains(t, err, "dnsfilter.yaml:")
	r.settings(t, "lists:\n  - {name: a, file: none.txt}\n")
	_, err = r.control().Plan(t.Context())
	require.ErrorContains(t, err, "none.txt")
}

// TestNeedsRestart: what a reload has read and could not put in force is named until a restart, or until it is undone.
func TestNeedsRestart(t *testing.T) {
	t.Parallel()
	const lists = "lists:\n  - {name: a, file: a.txt}\n"
	r := newFolder(t, lists)
	r.write(t, "a.txt", names(10))
	s := r.start(t)
	r.settings(t, lists+"cache: 128MiB\n")
	for range 2 {
		reloaded, err := r.control().Reload(t.Context())
		require.NoError(t, err)
		assert.Equal(t, service.Reloaded{Lists: 1, Entries: 10, Restart: []string{"cache"}}, reloaded)
	}
	current := func() float64 {
		all, err := r.control().Stats(t.Context())
		require.NoError(t, err)
		i := slices.IndexFunc(all, func(s service.Stat) bool { return s.Name == "dnsfilter_settings_current" })
		return all[i].Value
	}
	status, err := r.control().Status(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "needs a restart: cache", status.Settings)
	p, err := r.control().Plan(t.Context())
	require.NoError(t, err)
	assert.Equal(t, config.Changes{Restart: []string{"cache"}}, p.Changes)
	assert.False(t, p.IsEmpty())
	assert.Zero(t, current())
	assert.Equal(t, 2, strings.Count(r.log.String(), "change with a restart only"))

	r.settings(t, lists)
	require.NoError(t, s.Reload(t.Context()))
	status, err = r.control().Status(t.Context())
	require.NoError(t, err)
	assert.Empty(t, status.Settings)
	assert.InDelta(t, 1, current(), 0)
}

func TestPlanKnowsWhatTheGuardsWouldHold(t *testing.T) {
	t.Parallel()
	r := newFolder(t, "lists:\n  - {name: a, file: a.txt}\n")
	r.write(t, "a.txt", names(1000))
	r.start(t)
	r.settings(t, "lists:\n  - {name: a, file: b.txt}\n")
	r.write(t, "b.txt", names(5000))
	p, err := r.control().Plan(t.Context())
	require.NoError(t, err)
	require.Len(t, p.Files, 1)
	assert.Equal(t, []uint64{1000, 5000}, []uint64{p.Files[0].Before, p.Files[0].After})
	require.NotNil(t, p.Files[0].Held)
	assert.NotZero(t, p.Files[0].Held.Held)
}

func TestStatsAndCacheOfAService(t *testing.T) {
	t.Parallel()
	r := newFolder(t, "lists:\n  - {name: a, file: a.txt}\n")
	r.write(t, "a.txt", "a.test\n")
	r.start(t)
	assert.Equal(t, dns.RcodeSuccess, r.rcode(t, "www.example."))
	all, err := r.control().Cached(t.Context(), "www.example")
	require.NoError(t, err)
	require.Len(t, all, 1)
	assert.Equal(t, []string{"www.example.\t300\tIN\tA\t192.0.2.3"}, all[0].Records)
	assert.InDelta(t, 300, all[0].Seconds, 10)
	_, err = r.control().Cached(t.Context(), "a..b")
	require.Error(t, err)

	stats, err := r.control().Stats(t.Context())
	require.NoError(t, err)
	by := map[string]service.Stat{}
	for _, s := range stats {
		by[s.Name] = s
	}
	assert.InDelta(t, 1, by["dnsfilter_queries_total"].Value, 0)
	assert.InDelta(t, 1, by["dnsfilter_list_entries{list=a}"].Value, 0)
	asked := by["dnsfilter_upstream_duration_seconds"]
	assert.EqualValues(t, 1, asked.Count)
	assert.Positive(t, asked.Value)
	assert.LessOrEqual(t, asked.Median, asked.P99)
	assert.NotEmpty(t, asked.Help)
}
