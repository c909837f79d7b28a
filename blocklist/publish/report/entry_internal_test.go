package report

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/argine-dns/argine/blocklist/publish"
)

// The labels of the time axis neither overlap nor leave the chart, with and without the time of day.
func TestTimelineLabels(t *testing.T) {
	t.Parallel()
	const letter = 6.8 // width of a digit, in a wide font
	now := time.Now()
	for _, ago := range []time.Duration{time.Second, time.Hour, 71 * time.Hour, 80 * time.Hour, 20_000 * time.Hour} {
		event := publish.EntryEvent{Operation: publish.Operation{Time: now.Add(-ago)}, After: "a.example"}
		c := newTimeline([]*publish.EntryHistory{{Target: "a.example", Events: []publish.EntryEvent{event}}}, now)
		width := letter * float64(len(time.DateOnly))
		if c.Close {
			width = letter * float64(len("2006-01-02 15:04"))
		}
		end := 0.0
		for _, tick := range c.Ticks {
			from := tick.At - width/2
			if tick.Anchor == "end" {
				from = tick.At - width
			}
			assert.Greater(t, from, end, "%v: a label begins at %v, the one before ends at %v", ago, from, end)
			end = from + width
		}
		assert.LessOrEqual(t, end, float64(c.Width), ago)
	}
}
