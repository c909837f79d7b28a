package upstream

import (
	"sync/atomic"
	"time"
)

// Buckets returns the upper bounds of the buckets of a [Histogram], in seconds.
func Buckets() []float64 { return buckets[:] }

var buckets = [...]float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5} //nolint:gochecknoglobals // a constant table

// Status is the state of a resolver, with counters since the forwarder was created.
type Status struct {
	Resolver string        `json:"resolver"`       // address in the form of ParseEndpoint
	Zone     string        `json:"zone,omitempty"` // forward zone that the resolver is used for; empty: all other names
	Delay    time.Duration `json:"delay"`          // smoothed round-trip time; 0: the resolver has never answered
	Asked    uint64        `json:"asked"`
	Answered uint64        `json:"answered"` // number of replies, as in Times.Count
	// Late is the number of attempts that timed out because the resolver was slow or unreachable.
	Late uint64 `json:"late"`

	Up     bool   `json:"up"`               // false: the resolver is known to be down
	Reason string `json:"reason,omitempty"` // why the resolver is down; empty: it is up

	CaseMismatches uint64 `json:"case_mismatches"` // number of replies with another letter case than the query (0x20)
	CaseDisabled   bool   `json:"case_disabled"`   // 0x20 is off for this resolver now, since it does not support 0x20

	Times Times `json:"-"` // response times of the replies
}

// Name returns the address of the resolver, and its forward zone if it has one.
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

// record has the counters of a resolver: queries sent to it, timeouts and response times.
type record struct {
	asked, late atomic.Uint64
	times       Histogram // response times of the replies
}

// Times has response times as cumulative buckets.
type Times struct {
	Count uint64               // number of response times
	Took  [len(buckets)]uint64 // number of response times up to each bound of Buckets, cumulative
	Sum   time.Duration        // sum of all response times
}

// Histogram counts response times. Its zero value is empty. It is safe for concurrent use.
type Histogram struct {
	// took has the number of response times per bucket, not cumulative. The value buckets[i] is the upper bound of bucket
	// i. The last bucket has no upper bound.
	took [len(buckets) + 1]atomic.Uint64
	sum  atomic.Int64
}

// Observe adds a response time, and counts it once for each of the given number of answers.
func (h *Histogram) Observe(took time.Duration, answers int) {
	i := 0
	for i < len(buckets) && took.Seconds() > buckets[i] {
		i++
	}
	h.took[i].Add(uint64(answers))
	h.sum.Add(int64(took) * int64(answers))
}

// Times returns the counts so far, as cumulative buckets.
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

// Add adds the counts of another value to t.
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
