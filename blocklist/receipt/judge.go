package receipt

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Release is the signed state of a serial.
type Release struct {
	Serial  uint64
	Digest  string // in the form of [Receipt.Digest]
	Created time.Time
}

// Statement is a receipt and the subscriber that has signed it.
type Statement struct {
	Receipt

	Holder string
}

// Standing is the state of one subscriber to a list, by its own receipts.
type Standing struct {
	Subscriber string
	State      State
	Serial     uint64    // newest serial in a receipt; 0: no receipt yet
	Enforced   time.Time // time of the first receipt for that serial; zero: none
	// Took is the time from the release of that serial to Enforced. It is negative if that release is no longer known.
	Took time.Duration
}

// State is the state of a subscriber in one word.
type State string

// States of a subscriber. Late and Differs need attention.
const (
	Enforces State = "enforces" // it enforces the newest release
	Behind   State = "behind"   // a newer release is out, within the deadline
	Never    State = "never"    // no receipt yet, within the deadline of the newest release
	Late     State = "late"     // it confirmed a release after the deadline, or not yet
	Differs  State = "differs"  // its state of that serial is not the signed one
)

// Judge returns the standing of each subscriber to one list, sorted by name. Releases are the known signed releases of
// the list, all are the receipts for it, and now is the reader's clock.
//
// A skipped serial counts, too: a subscriber that updates from 40 to 42 has enforced 41 only at the time of 42.
func Judge(releases []Release, subscribers []string, all []Statement, deadline time.Duration,
	now time.Time,
) []Standing {
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

// after returns the first release with a serial above the given one, and false if there is none.
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

// state returns the state after the newest statement. Before is the serial of the previous statement, 0 if there is
// none.
func (j *judge) state(s *Standing, last Statement, before uint64) State {
	signed, known := j.release(last.Serial)
	next, newer := j.after(last.Serial)
	if known {
		s.Took = max(s.Enforced.Sub(signed.Created), 0)
	}
	switch skipped, ok := j.after(before); {
	case known && signed.Digest != last.Digest, !known && !newer: // the officers have not signed this serial
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
