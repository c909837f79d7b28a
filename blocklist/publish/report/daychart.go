package report

import "time"

// dayChart is a bar chart with two bars for each day: entries listed (upward) and delisted (downward).
type dayChart struct {
	Width, Height, Left, Right int
	Base                       float64 // y of the base line, between the upward and the downward bars
	Bars                       []dayBar
	Lines                      []dayLine // horizontal grid lines, each with its number
	Labels                     []dayLabel
}

type dayBar struct {
	dayTally
	X, Width float64
	Up, Down float64 // heights of the upward and the downward bar
	UpY      float64 // y of the top of the upward bar
}

type dayLine struct {
	At    float64
	N     uint64
	Below bool // whether the line is below the base, where N counts delisted entries
}

type dayLabel struct {
	At  float64
	Day int
}

const (
	dayChartHeight = 220
	dayChartTop    = 14
	dayChartBottom = 190 // y of the lower end of the bars; the labels of days are below
)

func newDayChart(from, to time.Time, days map[time.Time]*tally) dayChart {
	c := dayChart{Width: chartWidth, Height: dayChartHeight, Left: 64, Right: chartWidth - 8}
	var up, down uint64
	for _, t := range days {
		up, down = max(up, t.Listed), max(down, t.Delisted)
	}
	step := niceStep(max(up, down))
	up, down = roundUp(up, step), roundUp(down, step)
	if up+down == 0 {
		up = step
	}
	perUnit := float64(dayChartBottom-dayChartTop) / float64(up+down)
	c.Base = dayChartTop + float64(up)*perUnit
	for n := uint64(0); n <= up; n += step {
		c.Lines = append(c.Lines, dayLine{c.Base - float64(n)*perUnit, n, false})
	}
	for n := step; n <= down; n += step {
		c.Lines = append(c.Lines, dayLine{c.Base + float64(n)*perUnit, n, true})
	}
	count := int(to.Sub(from).Hours() / 24)
	width := float64(c.Right-c.Left) / float64(count)
	for i := range count {
		d := from.AddDate(0, 0, i)
		x := float64(c.Left) + width*float64(i)
		c.Labels = append(c.Labels, dayLabel{x + width/2, d.Day()})
		t := days[d]
		if t == nil {
			continue
		}
		bar := dayBar{
			dayTally: dayTally{d, *t}, X: x + width*0.15, Width: width * 0.7,
			Up: height(t.Listed, perUnit), Down: height(t.Delisted, perUnit),
		}
		bar.UpY = c.Base - bar.Up
		c.Bars = append(c.Bars, bar)
	}
	return c
}

// Minor reports whether a narrow page leaves out the label of the day with index i.
func (dayChart) Minor(i int) bool { return i%5 != 0 }

// height returns the height of the bar for n. If n is not 0, the bar is high enough to be seen.
func height(n uint64, perUnit float64) float64 {
	if n == 0 {
		return 0
	}
	return max(float64(n)*perUnit, 2)
}

// niceStep returns the distance between grid lines for numbers up to limit: 1, 2 or 5 times a power of ten. It gives at
// most five steps.
func niceStep(limit uint64) uint64 {
	for power := uint64(1); ; power *= 10 {
		for _, step := range []uint64{power, 2 * power, 5 * power} {
			if limit <= 5*step {
				return step
			}
		}
	}
}

// roundUp rounds n up to a multiple of step.
func roundUp(n, step uint64) uint64 { return (n + step - 1) / step * step }
