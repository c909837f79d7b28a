package report

import (
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/receipt"
)

// Enforcement describes how fast subscribers enforced releases.
type Enforcement struct {
	Given       bool   // receipts were given
	Problem     string // why they can't be read; empty: nothing is wrong
	From        string
	Deadline    time.Duration
	Releases    int // number of releases whose time is known
	Subscribers []SubscriberTimes
	Chart       TimeChart
}

// SubscriberTimes are the times of one subscriber.
type SubscriberTimes struct {
	Name            string
	said            []receipt.Statement
	Times           []ReleaseTime // of the releases that it has confirmed, in order of serials
	InTime          int
	Missing         []uint64 // serials that were due, without a receipt
	Differs         []uint64 // serials for which it stated a digest other than the signed one
	Median, Slowest time.Duration
	SlowestSerial   uint64
}

// ReleaseTime is how long a subscriber took from the signing of a release to enforcing it.
type ReleaseTime struct {
	Serial uint64
	Took   time.Duration
}

// Enforced returns how fast subscribers enforced the last releases, as o.Receipts say.
func Enforced(ctx context.Context, l *publish.Ledger, last int, o Options) (Enforcement, error) {
	var releases []publish.ReleaseInfo
	for r, err := range l.Releases(ctx, last) {
		if err != nil {
			return Enforcement{}, err
		}
		releases = append(releases, r)
	}
	return enforced(ctx, l, releases, o, time.Now())
}

// enforced returns how fast subscribers enforced the releases whose signatures are valid.
func enforced(ctx context.Context, l *publish.Ledger, releases []publish.ReleaseInfo, o Options, now time.Time) (
	e Enforcement, err error,
) {
	if o.Unread != nil {
		e.Problem = o.Unread.Error()
	}
	if e.Deadline = o.Deadline; o.Receipts == nil {
		return e, nil
	}
	e.Given, e.From = true, o.Receipts.From
	releases = slices.DeleteFunc(slices.Clone(releases), func(r publish.ReleaseInfo) bool { return r.Problem != "" })
	e.Releases = len(releases)
	by := map[string]*SubscriberTimes{}
	for _, name := range slices.Sorted(slices.Values(o.Receipts.Subscribers)) {
		by[name] = &SubscriberTimes{Name: name}
	}
	signed, err := signedDigests(ctx, l)
	if err != nil {
		return e, err
	}
	for _, st := range o.Receipts.Statements {
		if s := by[st.Holder]; s != nil {
			s.hear(st, signed)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(by)) {
		s := by[name]
		for _, r := range releases {
			s.add(r, o.Deadline, now)
		}
		s.sum()
		e.Subscribers = append(e.Subscribers, *s)
	}
	e.Chart = newTimeChart(e)
	return e, nil
}

// signedDigests returns the digests of all releases whose signatures are valid, as receipts name them.
func signedDigests(ctx context.Context, l *publish.Ledger) (map[uint64]string, error) {
	digests := map[uint64]string{}
	for r, err := range l.SignedReleases(ctx, time.Time{}) {
		if err != nil {
			return nil, err
		}
		digests[r.Serial] = r.SignedDigest
	}
	return digests, nil
}

// hear keeps a statement, unless its digest differs from the signed one.
func (s *SubscriberTimes) hear(st receipt.Statement, signed map[uint64]string) {
	if digest := signed[st.Serial]; digest != st.Digest || digest == "" {
		if !slices.Contains(s.Differs, st.Serial) {
			s.Differs = append(s.Differs, st.Serial)
		}
		return
	}
	s.said = append(s.said, st)
}

// add finds out when a release was enforced: at the first receipt for the release, or for a later release if the
// subscriber skipped the release. A release older than the kept receipts is not confirmed.
func (s *SubscriberTimes) add(r publish.ReleaseInfo, deadline time.Duration, now time.Time) {
	first, older := time.Time{}, false
	for _, st := range s.said {
		older = older || st.Serial <= r.Serial
		if st.Serial >= r.Serial && (first.IsZero() || st.Enforced.Before(first)) {
			first = st.Enforced
		}
	}
	switch {
	case !first.IsZero() && older:
		t := ReleaseTime{Serial: r.Serial, Took: max(first.Sub(r.Created), 0)}
		if s.Times = append(s.Times, t); t.Took <= deadline {
			s.InTime++
		}
	case now.Sub(r.Created) > deadline:
		s.Missing = append(s.Missing, r.Serial)
	}
}

func (s *SubscriberTimes) sum() {
	slices.Sort(s.Differs)
	var all []time.Duration
	for _, t := range s.Times {
		if all = append(all, t.Took); t.Took >= s.Slowest {
			s.Slowest, s.SlowestSerial = t.Took, t.Serial
		}
	}
	if slices.Sort(all); len(all) > 0 {
		s.Median = all[len(all)/2]
	}
}

// TimeChart is a chart of the times of subscribers, on a logarithmic scale.
type TimeChart struct {
	Width, Height, Left, Right, Bottom int
	Ticks                              []TimeTick
	Deadline                           float64 // x
	Rows                               []TimeRow
	Hidden                             int // subscribers without a row
}

// TimeTick is a mark of the scale.
type TimeTick struct {
	At   float64
	Time time.Duration
}

// TimeRow is the line of one subscriber in a chart.
type TimeRow struct {
	Y      int
	Name   string
	Median float64 // x; 0: none
	Dots   []Dot
}

// Dot is one release in a chart.
type Dot struct {
	ReleaseTime
	X    float64
	Late bool
}

const (
	chartWidth  = 720
	maxTimeRows = 40
	rowHeight   = 22
)

func newTimeChart(e Enforcement) TimeChart {
	longest := 2 * e.Deadline
	for _, s := range e.Subscribers {
		longest = max(longest, s.Slowest)
	}
	c := TimeChart{Width: chartWidth, Left: 170, Right: chartWidth - 16}
	scale := func(d time.Duration) float64 {
		return float64(c.Left) + float64(c.Right-c.Left)*math.Log1p(d.Seconds())/math.Log1p(longest.Seconds())
	}
	for i, s := range e.Subscribers {
		if i == maxTimeRows {
			c.Hidden = len(e.Subscribers) - maxTimeRows
			break
		}
		row := TimeRow{Y: 24 + rowHeight*i, Name: clipped(s.Name, 24)}
		if len(s.Times) > 0 {
			row.Median = scale(s.Median)
		}
		for _, t := range s.Times {
			row.Dots = append(row.Dots, Dot{t, scale(t.Took), t.Took > e.Deadline})
		}
		c.Rows = append(c.Rows, row)
	}
	c.Bottom = 14 + rowHeight*len(c.Rows)
	c.Height, c.Deadline = c.Bottom+24, scale(e.Deadline)
	const day = 24 * time.Hour
	for _, d := range []time.Duration{
		0, 10 * time.Second, time.Minute, 10 * time.Minute, time.Hour, 6 * time.Hour, day, 7 * day, 30 * day,
	} {
		if d <= longest {
			c.Ticks = append(c.Ticks, TimeTick{scale(d), d})
		}
	}
	return c
}

// clipped returns a text of at most the given number of characters.
func clipped(text string, most int) string {
	letters := []rune(show(text))
	if len(letters) <= most {
		return string(letters)
	}
	return string(letters[:most-1]) + "…"
}
