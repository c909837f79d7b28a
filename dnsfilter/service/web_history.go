package service

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/argine-dns/argine/dnsfilter"
)

// historyMinutes is how long the history keeps decisions, in minutes: a day.
const historyMinutes = 24 * 60

// decisionKind is a pair of list and action, by which decisions are counted.
type decisionKind struct {
	List   string
	Action dnsfilter.Action
}

// series is the number of decisions of one kind in each minute. The index is the minute modulo historyMinutes.
type series [historyMinutes]uint32

// history is the number of decisions per minute in the last day, by list and action. It is lost when the process ends.
type history struct {
	mu     sync.Mutex
	minute int // number of minutes recorded so far
	last   map[string]map[dnsfilter.Action]uint64
	by     map[decisionKind]*series
}

func newHistory() *history { return &history{by: map[decisionKind]*series{}} }

// run records the counters of stats each minute, until ctx ends.
func (h *history) run(ctx context.Context, stats func() dnsfilter.Stats) {
	h.begin(stats().Lists)
	each := time.NewTicker(time.Minute)
	defer each.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-each.C:
			h.record(stats().Lists)
		}
	}
}

// begin sets the counters that the first minute starts from.
func (h *history) begin(lists map[string]map[dnsfilter.Action]uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last = lists
}

// record records the growth of the counters since the last call, as the decisions of one minute.
func (h *history) record(lists map[string]map[dnsfilter.Action]uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := h.minute % historyMinutes
	for _, s := range h.by {
		s[at] = 0
	}
	for list, actions := range lists {
		for action, n := range actions {
			grown := n - h.last[list][action]
			kind := decisionKind{list, action}
			if h.by[kind] == nil {
				h.by[kind] = new(series)
			}
			h.by[kind][at] = uint32(grown)
		}
	}
	h.last = lists
	h.minute++
}

// kinds returns the recorded kinds of decisions, sorted by list and action.
func (h *history) kinds() []decisionKind {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.SortedFunc(maps.Keys(h.by), func(a, b decisionKind) int {
		return cmp.Or(cmp.Compare(a.List, b.List), cmp.Compare(a.Action, b.Action))
	})
}

// sums returns the number of decisions of a kind in each of the last intervals, the oldest first. The arguments are the
// number of intervals, and the minutes per interval.
func (h *history) sums(kind decisionKind, number, minutes int) []uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]uint64, number)
	s := h.by[kind]
	for ago := range min(number*minutes, h.minute) {
		out[number-1-ago/minutes] += uint64(s[(h.minute-1-ago)%historyMinutes])
	}
	return out
}
