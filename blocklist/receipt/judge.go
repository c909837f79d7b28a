package receipt

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Release has the serial and the signed state of a release.
type Release struct {
	Serial    uint64
	Digest    string    // digest, in the form of [Receipt.Digest]
	Created   time.Time // when the release was made, before it was signed
	Published time.Time // when the release was published; zero: not known
}

// Start returns the time at which the deadline for enforcing the release begins: Published, or Created if Published is
// not known.
func (r Release) Start() time.Time {
	if r.Published.IsZero() {
		return r.Created
	}
	return r.Published
}

// recordedWithin is the maximum time before [Release.Start] at which a subscriber may seem to have enforced the
// release: an agency records a publication after the origin has accepted the release, and receipts have whole seconds.
const recordedWithin = 10 * time.Second

// Took returns the time from [Release.Start] to the time at which a subscriber enforced the release. It returns false
// if that time is not known. This is so if the subscriber enforced the release clearly before Start: Published is the
// time at which a recovered ledger adopted the release, or a clock is wrong.
func (r Release) Took(enforced time.Time) (took time.Duration, known bool) {
	took = enforced.Sub(r.Start())
	return max(took, 0), took >= -recordedWithin
}

// Statement is a verified receipt, with the name of the subscriber that signed it.
type Statement struct {
	Receipt

	Holder string
}

// Standing is the state of one subscriber to a list, according to its receipts.
type Standing struct {
	Subscriber string
	State      State
	Serial     uint64    // newest serial in a receipt; 0: no receipt yet
	Enforced   time.Time // time of the first receipt for that serial; zero: no receipt
	// Took is the time from [Release.Start] of the release with that serial to Enforced. It is negative if the release is
	// no longer known, or if [Release.Took] returns false.
	Took time.Duration
}

// IsTimed reports whether the subscriber has enforced a release, and Took is known.
func (s Standing) IsTimed() bool { return s.Serial > 0 && s.Took >= 0 }

// State is the state of a subscriber in one word.
type State string

// States of a subscriber. Late and Differs need attention.
const (
	Enforces State = "enforces" // the subscriber enforces the newest release
	Behind   State = "behind"   // there is a newer release, but its deadline has not passed
	Never    State = "never"    // the subscriber has sent no receipt; the deadline of the newest release has not passed
	Late     State = "late"     // a deadline has passed: the subscriber confirmed the release later, or not at all
	Differs  State = "differs"  // the officers have not signed the state in the subscriber's newest receipt
)

// Judge returns the standing of each subscriber to one list, sorted by name. The argument releases has the known signed
// releases of the list, statements has the receipts for the list, and date is the time at which the subscribers are
// judged.
//
// The deadline also applies to a skipped serial: a subscriber that updates from 40 to 42 enforces the changes of 41
// only when it enforces 42.
func Judge(releases []Release, subscribers []string, statements []Statement, deadline time.Duration,
	date time.Time,
) []Standing {
	releases = slices.SortedFunc(slices.Values(releases),
		func(a, b Release) int { return cmp.Compare(a.Serial, b.Serial) })
	by := map[string][]Statement{}
	for _, s := range statements {
		by[s.Holder] = append(by[s.Holder], s)
	}
	j := judge{releases: releases, deadline: deadline, now: date}
	var out []Standing
	for _, name := range subscribers {
		out = append(out, j.standing(name, by[name]))
	}
	slices.SortFunc(out, func(a, b Standing) int { return strings.Compare(a.Subscriber, b.Subscriber) })
	return out
}

type judge struct {
	releases []Release // sorted by serial
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

// overdue reports whether a time is after the deadline of a release.
func (j *judge) overdue(r Release, at time.Time) bool { return at.Sub(r.Start()) > j.deadline }

func (j *judge) standing(name string, said []Statement) Standing {
	s := Standing{Subscriber: name, State: Never}
	if len(said) == 0 {
		if n := len(j.releases); n > 0 && j.overdue(j.releases[n-1], j.now) {
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

// state returns the state of a subscriber with the given newest statement, and sets the field Took of its standing. The
// argument previous is the next lower serial in the subscriber's statements, or 0 if there is none.
func (j *judge) state(s *Standing, newest Statement, previous uint64) State {
	signed, known := j.release(newest.Serial)
	next, newer := j.after(newest.Serial)
	if took, ok := signed.Took(s.Enforced); known && ok {
		s.Took = took
	}
	switch skipped, ok := j.after(previous); {
	case known && signed.Digest != newest.Digest, !known && !newer: // the officers have not signed this serial
		return Differs
	case known && j.overdue(signed, s.Enforced), previous > 0 && ok && j.overdue(skipped, s.Enforced):
		return Late
	case newer && j.overdue(next, j.now):
		return Late
	case newer:
		return Behind
	}
	return Enforces
}
