package upstream

import (
	"sync/atomic"
	"time"
)

// Buckets are the upper bounds, in seconds, by which the times of answers are counted.
func Buckets() []float64 { return buckets[:] }

var buckets = [...]float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5} //nolint:gochecknoglobals // a constant table

// Status says how a resolver has been doing since its forwarder was made.
type Status struct {
	Resolver string        `json:"resolver"` // as ParseEndpoint reads it
	Delay    time.Duration `json:"delay"`    // smoothed round-trip time; 0: it has never answered
	Asked    uint64        `json:"asked"`
	Answered uint64        `json:"answered"` // Times.Count
	Late     uint64        `json:"late"`     // times that another was asked, since it was slow or unreachable

	Up     bool   `json:"up"`               // it is not known to be down
	Reason string `json:"reason,omitempty"` // why it is down

	CaseMismatches uint64 `json:"case_mismatches"` // replies without the random case of the name (0x20)
	CaseDisabled   bool   `json:"case_disabled"`   // it is asked without 0x20 for now, since it does not support it

	Times Times `json:"-"` // of its answers
}

// Status returns how the resolvers have been doing, in the order given to New.
func (f *Forwarder) Status() []Status {
	out := make([]Status, len(f.resolvers))
	for i := range f.resolvers {
		out[i] = f.resolvers[i].status()
	}
	return out
}

// record has the counters of a resolver.
type record struct {
	asked, late atomic.Uint64
	times       Histogram // of its answers
}

// Times are how long answers took.
type Times struct {
	Count uint64               // of all answers
	Took  [len(buckets)]uint64 // answers that took no longer than each of Buckets
	Sum   time.Duration        // of the times of all answers
}

// Histogram counts answers by how long they took. Its zero value is empty; many goroutines may use it at once.
type Histogram struct {
	took [len(buckets) + 1]atomic.Uint64 // by the first bound that is not less
	sum  atomic.Int64
}

// Observe counts one answer.
func (h *Histogram) Observe(took time.Duration) {
	i := 0
	for i < len(buckets) && took.Seconds() > buckets[i] {
		i++
	}
	h.took[i].Add(1)
	h.sum.Add(int64(took))
}

// Times returns what was counted.
func (h *Histogram) Times() Times {
	t := Times{Sum: time.Duration(h.sum.Load())}
	for i := range h.took {
		t.Count += h.took[i].Load()
		if i < len(buckets) {
			t.Took[i] = t.Count
		}
	}
	return t
}

func (r *resolver) status() Status {
	s := Status{
		Resolver: r.at.String(), Delay: time.Duration(r.delay.Load()), Asked: r.record.asked.Load(),
		Late:           r.record.late.Load(),
		CaseMismatches: r.casing.mismatches.Load(), CaseDisabled: r.casing.isOff(time.Now()), Times: r.record.times.Times(),
	}
	s.Answered = s.Times.Count
	if o := r.outage.Load(); o != nil {
		s.Reason = reason(o.cause)
	} else {
		s.Up = true
	}
	return s
}
