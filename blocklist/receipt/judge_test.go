package receipt_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/argine-dns/argine/blocklist/receipt"
)

func TestJudge(t *testing.T) {
	const deadline = time.Hour
	start := at("2026-11-22T08:00:00Z")
	digest := func(c string) string { return strings.Repeat(c, 64) }
	releases := []receipt.Release{ // in any order
		{Serial: 42, Digest: digest("2"), Created: start.Add(3 * time.Hour)},
		{Serial: 40, Digest: digest("0"), Created: start},
		{Serial: 41, Digest: digest("1"), Created: start.Add(2 * time.Hour)},
	}
	said := func(serial uint64, c string, enforced time.Duration) receipt.Statement {
		return receipt.Statement{Holder: "isp", Receipt: receipt.Receipt{Serial: serial, Digest: digest(c), Enforced: start.Add(enforced)}}
	}
	soon, later := start.Add(3*time.Hour+30*time.Minute), start.Add(5*time.Hour)
	for name, c := range map[string]struct {
		now  time.Time
		said []receipt.Statement
		want receipt.State
		took time.Duration
	}{
		"never":                                {soon, nil, receipt.Never, 0},
		"never, and too late":                  {later, nil, receipt.Late, 0},
		"newest":                               {later, []receipt.Statement{said(41, "1", 121*time.Minute), said(42, "2", 181*time.Minute)}, receipt.Enforces, time.Minute},
		"newest, said twice":                   {later, []receipt.Statement{said(42, "2", 300*time.Minute), said(42, "2", 181*time.Minute)}, receipt.Enforces, time.Minute},
		"enforced late":                        {later, []receipt.Statement{said(42, "2", 241*time.Minute)}, receipt.Late, 61 * time.Minute},
		"behind":                               {soon, []receipt.Statement{said(41, "1", 121*time.Minute)}, receipt.Behind, time.Minute},
		"behind for too long":                  {later, []receipt.Statement{said(41, "1", 121*time.Minute)}, receipt.Late, time.Minute},
		"skipped one that was due":             {soon, []receipt.Statement{said(40, "0", time.Minute), said(42, "2", 182*time.Minute)}, receipt.Late, 2 * time.Minute},
		"skipped one in time":                  {soon, []receipt.Statement{said(40, "0", time.Minute), said(41, "1", 179*time.Minute), said(42, "2", 182*time.Minute)}, receipt.Enforces, 2 * time.Minute},
		"another digest":                       {soon, []receipt.Statement{said(42, "3", 181*time.Minute)}, receipt.Differs, time.Minute},
		"another digest after the right one":   {soon, []receipt.Statement{said(42, "2", 181*time.Minute), said(42, "3", 185*time.Minute)}, receipt.Differs, 5 * time.Minute},
		"a serial that no one signed":          {soon, []receipt.Statement{said(43, "3", 181*time.Minute)}, receipt.Differs, -1},
		"so old that it is not known any more": {soon, []receipt.Statement{said(39, "9", time.Minute)}, receipt.Late, -1},
		"as fast as it was recorded":           {soon, []receipt.Statement{said(42, "2", 180*time.Minute-2*time.Second)}, receipt.Enforces, 0},
		"a clock that is behind the agency's":  {soon, []receipt.Statement{said(42, "2", 179*time.Minute)}, receipt.Enforces, -1},
	} {
		t.Run(name, func(t *testing.T) {
			got := receipt.Judge(releases, []string{"isp"}, c.said, deadline, c.now)
			assert.Len(t, got, 1)
			assert.Equal(t, c.want, got[0].State)
			assert.Equal(t, c.took, got[0].Took)
			assert.Equal(t, len(c.said) > 0 && c.took >= 0, got[0].IsTimed())
		})
	}
	night := []receipt.Release{{Serial: 1, Digest: digest("1"), Created: start, Published: start.Add(12 * time.Hour)}}
	slow := receipt.Judge(night, []string{"isp", "a"}, []receipt.Statement{said(1, "1", 12*time.Hour+2*time.Second)}, deadline, start.Add(12*time.Hour+time.Minute))
	assert.Equal(t, receipt.Never, slow[0].State, "the night in which the officers did not sign is not the subscriber's")
	assert.Equal(t, receipt.Enforces, slow[1].State)
	assert.Equal(t, 2*time.Second, slow[1].Took)

	adopted := []receipt.Release{{Serial: 1, Digest: digest("1"), Created: start, Published: start.Add(48 * time.Hour)}}
	old := receipt.Judge(adopted, []string{"isp"}, []receipt.Statement{said(1, "1", time.Minute)}, deadline, start.Add(49*time.Hour))
	assert.Equal(t, receipt.Enforces, old[0].State)
	assert.False(t, old[0].IsTimed(), "a recovered ledger does not know when the release was published")

	all := receipt.Judge(releases, []string{"isp", "a"}, []receipt.Statement{said(42, "2", 181*time.Minute)}, deadline, soon)
	assert.Equal(t, "a", all[0].Subscriber)
	assert.Equal(t, receipt.Never, all[0].State)
	assert.Equal(t, uint64(42), all[1].Serial)
}
