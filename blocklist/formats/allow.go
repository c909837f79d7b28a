package formats

import (
	"fmt"

	"github.com/argine-dns/argine/blocklist"
)

// turn prepares a file that is read as an allow list. If the file has exceptions, these become the entries of the list.
// If it has none, the names in its lines already are the entries. A file with both exceptions and blocking lines is
// refused, since it is unclear what its blocking lines mean.
func (h *deferred) turn(t *lineSink) {
	lists, passes := 0, 0 // first blocking line and first exception; 0: none
	for _, v := range h.names {
		lists, passes = firstLines(v, lists, passes)
	}
	for _, v := range h.ips {
		lists, passes = firstLines(v, lists, passes)
	}
	switch {
	case passes == 0:
		return
	case lists != 0:
		t.refusal = fmt.Sprintf("an allow file with exceptions (first in line %d) and lines that block "+
			"(first in line %d): take one kind out", passes, lists)
	}
	turnMarks(h.names)
	turnMarks(h.ips)
	h.passes = map[blocklist.Name]verdict{}
}

// firstLines returns the smaller of the given line numbers and the line of v, depending on the mark of v. 0 is no line.
func firstLines(v verdict, lists, passes int) (int, int) {
	if v.mark&rewritten != 0 {
		return lists, passes
	}
	if v.mark&listDomain != 0 && (lists == 0 || v.line < lists) {
		lists = v.line
	}
	if v.mark&passDomain != 0 && (passes == 0 || v.line < passes) {
		passes = v.line
	}
	return lists, passes
}

func turnMarks[K comparable](in map[K]verdict) {
	for k, v := range in {
		if v.mark&rewritten == 0 {
			v.mark = v.mark & passDomain >> 2
		}
		in[k] = v
	}
}
