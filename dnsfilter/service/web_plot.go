package service

import (
	"fmt"
	"slices"
	"strings"
)

// bars is a bar chart, drawn as one path of SVG.
type bars struct {
	Total, Peak uint64
	Unit        string // what a bar stands for
	Width       int    // of the drawing; the height is barHeight
	Path        string
}

const (
	barHeight = 40
	barWidth  = 4 // with the gap of 1 to the next
)

// newBars draws numbers as bars. The highest has the full height, and any number above 0 can be seen.
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
