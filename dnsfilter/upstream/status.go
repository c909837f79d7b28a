package upstream

import (
	"sync/atomic"
	"time"
)

// Buckets returns the upper bounds of the response time histogram, in seconds.
func Buckets() []float64 { return buckets[:] }

var buckets = [...]float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5} //nolint:gochecknoglobals // a constant table

// Status is the state of a resolver and its counters since the forwarder was created.
type Status struct {
	Resolver string        `json:"resolver"`       // in the form of ParseEndpoint
	Zone     string        `json:"zone,omitempty"` // the forward zone that it answers; empty: all other names
	Delay    time.Duration `json:"delay"`          // smoothed round-trip time; 0: it has never answered
	Asked    uint64        `json:"asked"`
	Answered uint64        `json:"answered"` // Times.Count
	Late     uint64        `json:"late"`     // queries for which another resolver was asked, since this one was slow or unreachable

	Up     bool   `json:"up"`               // false: known to be down
	Reason string `json:"reason,omitempty"` // reason for being down

	CaseMismatches uint64 `json:"case_mismatches"` // replies whose name did not have the random case (0x20)
	CaseDisabled   bool   `json:"case_disabled"`   // 0x20 is off for now, since the resolver does not support it

	Times Times `json:"-"` // of its answers
}

// Name returns the resolver, and its zone if it has one.
func (s *Status) Name() string {
	if s.Zone == "" {
		return s.Resolver
	}
	return s.Resolver + " for " + s.Zone
}

// Status returns the state of the resolvers, in the order given to New.
func (f *Forwarder) Status() []Status {
	out := make([]Status, len(f.resolvers))
	for i := range f.resolvers {
		out[i] = f.resolvers[i].status(f.now())
	}
	return out
}

// record has the counters of a resolver.
type record struct {
	asked, late atomic.Uint64
	times       Histogram // of its answers
}

// Times are the response times of answers, as cumulative buckets.
type Times struct {
	Count uint64               // number of answers
	Took  [len(buckets)]uint64 // answers within each bound of Buckets
	Sum   time.Duration        // sum of all response times
}

// Histogram counts answers by response time. Its zero value is empty. It is safe for concurrent use.
type Histogram struct {
	took [len(buckets) + 1]atomic.Uint64 // by the smallest bound that is not below the response time
	sum  atomic.Int64
}

// Observe counts answers that had the same response time.
func (h *Histogram) Observe(took time.Duration, answers int) {
	i := 0
	for i < len(buckets) && took.Seconds() > buckets[i] {
		i++
	}
	h.took[i].Add(uint64(answers))
	h.sum.Add(int64(took) * int64(answers))
}

// Times returns the current counts.
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

// Add adds other times.
func (t *Times) Add(other Times) {
	t.Count += other.Count
	t.Sum += other.Sum
	for i := range t.Took {
		t.Took[i] += other.Took[i]
	}
}

func (r *resolver) status(now time.Time) Status {
	s := Status{
		Resolver: r.at.String(), Delay: time.Duration(r.delay.Load()), Asked: r.record.asked.Load(),
		Late:           r.record.late.Load(),
		CaseMismatches: r.casing.mismatches.Load(), CaseDisabled: r.casing.isOff(now), Times: r.record.times.Times(),
	}
	s.Answered = s.Times.Count
	if o := r.outage.Load(); o != nil {
		s.Reason = reason(o.cause)
	} else {
		s.Up = true
	}
	return s
}
