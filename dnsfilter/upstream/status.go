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
	Delay    time.Duration `json:"delay"`    // that it is expected to answer with, by what it did of late; 0: it has never answered
	Asked    uint64        `json:"asked"`
	Answered uint64        `json:"answered"`
	Late     uint64        `json:"late"` // times that another had to be asked, because it was slow or can't be reached

	Up     bool   `json:"up"`               // nothing else is known
	Reason string `json:"reason,omitempty"` // why it is not

	Misspelled uint64 `json:"misspelled"` // replies that did not repeat the random spelling of the name; they were not taken
	Plain      bool   `json:"plain"`      // it is asked in plain spelling for now, since it does not repeat any other

	Took [len(buckets)]uint64 `json:"-"` // answers that took no longer than each of Buckets
	Sum  time.Duration        `json:"-"` // of the times of all answers
}

// Status returns how the resolvers have been doing, in the order given to New.
func (f *Forwarder) Status() []Status {
	out := make([]Status, len(f.resolvers))
	for i := range f.resolvers {
		out[i] = f.resolvers[i].status()
	}
	return out
}

// record is what is counted of a resolver.
type record struct {
	asked, late atomic.Uint64
	took        [len(buckets) + 1]atomic.Uint64 // by the first bound that is not less
	sum         atomic.Int64
}

func (r *record) answered(took time.Duration) {
	i := 0
	for i < len(buckets) && took.Seconds() > buckets[i] {
		i++
	}
	r.took[i].Add(1)
	r.sum.Add(int64(took))
}

func (r *resolver) status() Status {
	s := Status{
		Resolver: r.at.String(), Delay: time.Duration(r.delay.Load()), Asked: r.record.asked.Load(), Late: r.record.late.Load(),
		Misspelled: r.casing.mismatches.Load(), Plain: r.casing.isOff(time.Now()), Sum: time.Duration(r.record.sum.Load()),
	}
	if o := r.outage.Load(); o != nil {
		s.Reason = reason(o.cause)
	} else {
		s.Up = true
	}
	for i := range r.record.took {
		s.Answered += r.record.took[i].Load()
		if i < len(buckets) {
			s.Took[i] = s.Answered
		}
	}
	return s
}
