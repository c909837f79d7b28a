package receipt

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Release is what the officers have signed about a serial.
type Release struct {
	Serial  uint64
	Digest  string // as [Receipt] has it
	Created time.Time
}

// Statement is a receipt and who has signed it.
type Statement struct {
	Receipt

	Holder string
}

// Standing is how one subscriber stands with a list, by its own receipts.
type Standing struct {
	Subscriber string
	State      State
	Serial     uint64    // the newest that it enforces; 0 if it has never said so
	Enforced   time.Time // since when; zero if never
	// from the release of that serial until then; negative if what was signed about it is not known any more
	Took time.Duration
}

// State is what there is to say about a subscriber in a word.
type State string

// The states. Late and Differs are what somebody should look at.
const (
	Enforces State = "enforces" // the newest release
	Behind   State = "behind"   // a newer release is out, within the deadline
	Never    State = "never"    // no receipt yet, within the deadline of the newest release
	Late     State = "late"     // the deadline has passed without a receipt, or had when it was enforced
	Differs  State = "differs"  // it holds another state under that serial than was signed
)

// Judge tells how each of these subscribers stands with one list, by name. Releases are those that are known to be
// signed, and statements those of this list; now is the reader's clock.
//
// A serial that was skipped counts: anyone who goes from 40 to 42 has enforced 41 no earlier.
func Judge(releases []Release, subscribers []string, all []Statement, deadline time.Duration,
	now time.Time) []Standing {
	releases = slices.SortedFunc(slices.Values(releases),
		func(a, b Release) int { return cmp.Compare(a.Serial, b.Serial) })
	by := map[string][]Statement{}
	for _, s := range all {
		by[s.Holder] = append(by[s.Holder], s)
	}
	j := judge{releases: releases, deadline: deadline, now: now}
	var out []Standing
	for _, name := range subscribers {
		out = append(out, j.standing(name, by[name]))
	}
	slices.SortFunc(out, func(a, b Standing) int { return strings.Compare(a.Subscriber, b.Subscriber) })
	return out
}

type judge struct {
	releases []Release // in order of serials
	deadline time.Duration
	now      time.Time
}

// after returns the first release behind a serial.
func (j *judge) after(serial uint64) (Release, bool) {
	i := slices.IndexFunc(j.releases, func(r Release) bool { return r.Serial > serial })
	if i < 0 {
		return Release{}, false
	}
	return j.releases[i], true
}

func (j *judge) release(serial uint64) (Release, bool) {
	i := slices.IndexFunc(j.releases, func(r Release) bool { return r.Serial == serial })
	if i < 0 {
		return Release{}, false
	}
	return j.releases[i], true
}

func (j *judge) overdue(created, enforced time.Time) bool { return enforced.Sub(created) > j.deadline }

func (j *judge) standing(name string, said []Statement) Standing {
	s := Standing{Subscriber: name, State: Never}
	if len(said) == 0 {
		if n := len(j.releases); n > 0 && j.overdue(j.releases[n-1].Created, j.now) {
			s.State = Late
		}
		return s
	}
	last := slices.MaxFunc(said, func(a, b Statement) int {
		return cmp.Or(cmp.Compare(a.Serial, b.Serial), a.Enforced.Compare(b.Enforced))
	})
	s.Serial, s.Enforced, s.Took = last.Serial, last.Enforced, -1
	before := uint64(0)
	for _, st := range said {
		if st.Serial == last.Serial && st.Digest == last.Digest && st.Enforced.Before(s.Enforced) {
			s.Enforced = st.Enforced
		}
		if st.Serial < last.Serial {
			before = max(before, st.Serial)
		}
	}
	s.State = j.state(&s, last, before)
	return s
}

// state judges the newest statement; before is the serial of the one before it, 0 if there is none.
func (j *judge) state(s *Standing, last Statement, before uint64) State {
	signed, known := j.release(last.Serial)
	next, newer := j.after(last.Serial)
	if known {
		s.Took = max(s.Enforced.Sub(signed.Created), 0)
	}
	switch skipped, ok := j.after(before); {
	case known && signed.Digest != last.Digest, !known && !newer: // no one has signed a serial that new
		return Differs
	case known && j.overdue(signed.Created, s.Enforced), before > 0 && ok && j.overdue(skipped.Created, s.Enforced):
		return Late
	case newer && j.overdue(next.Created, j.now):
		return Late
	case newer:
		return Behind
	}
	return Enforces
}
