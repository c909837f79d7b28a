package service

import (
	"fmt"
	"slices"
	"strings"
)

// bars is a bar chart, drawn as one SVG path.
type bars struct {
	Total, Peak uint64
	Unit        string // what one bar stands for, like "minute"
	Width       int    // width of the drawing; its height is barHeight
	Path        string
}

const (
	barHeight = 40
	barWidth  = 4 // width of a bar with the gap of 1 after it
)

// newBars draws numbers as bars. The highest bar has the full height, and each number above 0 has a visible bar.
func newBars(numbers []uint64, unit string) bars {
	b := bars{Unit: unit, Width: len(numbers) * barWidth, Peak: slices.Max(numbers)}
	var path strings.Builder
	for i, n := range numbers {
		b.Total += n
		if n > 0 {
			height := max(float64(n)/float64(b.Peak)*barHeight, 1)
			fmt.Fprintf(&path, "M%d %dv%.1fh%dV%dz", i*barWidth, barHeight, -height, barWidth-1, barHeight)
		}
	}
	b.Path = path.String()
	return b
}
