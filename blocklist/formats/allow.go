package formats

import (
	"fmt"

	"github.com/argine-dns/argine/blocklist"
)

// turn prepares a file that is read as an allow list. If the file has exceptions, their names become the entries of
// the list. If it has none, the names in its lines are the entries already. A file with both exceptions and blocking
// lines is refused, since it is unclear what its blocking lines mean.
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

// firstLines updates two line numbers with the line of the verdict v: that of the first blocking line (the argument
// lists), and that of the first exception (passes). 0 means that there is no such line yet.
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
