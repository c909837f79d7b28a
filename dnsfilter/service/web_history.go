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

// historyMinutes is how long decisions are remembered, in minutes: a day.
const historyMinutes = 24 * 60

// decisionKind is the kind by which decisions are counted: list and action.
type decisionKind struct {
	List   string
	Action dnsfilter.Action
}

// series is the number of decisions of one kind in each minute, at the minute modulo historyMinutes.
type series [historyMinutes]uint32

// history is the number of decisions of the last day by list and action, minute by minute. It is lost when the process
// ends.
type history struct {
	mu     sync.Mutex
	minute int // minutes recorded so far
	last   map[string]map[dnsfilter.Action]uint64
	by     map[decisionKind]*series
}

func newHistory() *history { return &history{by: map[decisionKind]*series{}} }

// run records the counters each minute until ctx ends.
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

// begin notes the counters from which the first minute is counted.
func (h *history) begin(lists map[string]map[dnsfilter.Action]uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last = lists
}

// record records the decisions since the last call as those of one minute.
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

// kinds returns the recorded kinds of decisions, in order.
func (h *history) kinds() []decisionKind {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.SortedFunc(maps.Keys(h.by), func(a, b decisionKind) int {
		return cmp.Or(cmp.Compare(a.List, b.List), cmp.Compare(a.Action, b.Action))
	})
}

// sums returns how many decisions of a kind there were in each of the last intervals, the oldest first. An interval has
// the given number of minutes.
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
