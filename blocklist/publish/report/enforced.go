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
	Given       bool   // whether there were receipts to read
	Problem     string // why the receipts can't be read; empty: they can
	From        string
	Deadline    time.Duration
	Releases    int // number of releases with valid signatures
	Subscribers []SubscriberTimes
	Chart       TimeChart
}

// SubscriberTimes says how fast one subscriber enforced releases.
type SubscriberTimes struct {
	Name            string
	said            []receipt.Statement
	Times           []ReleaseTime // times of the releases that the subscriber has confirmed, by serial
	Untimed         []uint64      // serials that the subscriber has confirmed after an unknown time
	InTime          int
	Missing         []uint64 // serials whose deadline has passed without a receipt
	Differs         []uint64 // serials for which a receipt has another digest than the signed metadata
	Median, Slowest time.Duration
	SlowestSerial   uint64
}

// ReleaseTime is how long a subscriber took from the publication of a release to enforcing the release.
type ReleaseTime struct {
	Serial uint64
	Took   time.Duration
}

// Enforced returns how fast subscribers enforced the last releases, from the receipts in o. Last is the maximum number
// of releases; 0 means all.
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

// enforced is [Enforced] for the given releases. It ignores releases whose signatures are not valid.
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

// signedDigests returns the digests of all releases whose signatures are valid, by serial, in the form that receipts
// contain.
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

// hear adds a statement of the subscriber. If its digest is not the signed one, hear adds the serial to Differs
// instead.
func (s *SubscriberTimes) hear(st receipt.Statement, signed map[uint64]string) {
	if digest := signed[st.Serial]; digest != st.Digest || digest == "" {
		if !slices.Contains(s.Differs, st.Serial) {
			s.Differs = append(s.Differs, st.Serial)
		}
		return
	}
	s.said = append(s.said, st)
}

// add adds the time when the subscriber enforced release r. This is the time in the first receipt for r, or for a later
// release if the subscriber skipped r. If the subscriber's first receipt of all is for a release after r, the
// subscriber may be newer than r, and the time is not known. If [receipt.Release.Took] returns false, add adds r to
// Untimed.
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
		took, known := receipt.Release{Published: r.Pushed}.Took(first)
		if !known {
			s.Untimed = append(s.Untimed, r.Serial)
			return
		}
		if s.Times = append(s.Times, ReleaseTime{Serial: r.Serial, Took: took}); took <= deadline {
			s.InTime++
		}
	case now.Sub(r.Pushed) > deadline:
		s.Missing = append(s.Missing, r.Serial)
	}
}

// Confirmed returns the number of releases that the subscriber has confirmed.
func (s SubscriberTimes) Confirmed() int { return len(s.Times) + len(s.Untimed) }

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

// TimeChart is a chart of the times in [SubscriberTimes], with a row for each subscriber, on a logarithmic scale.
type TimeChart struct {
	Width, Height, Left, Right, Bottom int
	Ticks                              []TimeTick
	Deadline                           float64 // x of the deadline
	Rows                               []TimeRow
	Hidden                             int // number of subscribers that have no row, because there are too many
}

// TimeTick is a tick of the time scale.
type TimeTick struct {
	At   float64
	Time time.Duration
}

// TimeRow is the row of one subscriber in a chart.
type TimeRow struct {
	Y      int
	Name   string
	Median float64 // x of the median time; 0: no times
	Dots   []Dot
}

// Dot is the time of one release in a chart.
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

// clipped cuts a text to the given number of characters, and makes it safe to print.
func clipped(text string, most int) string {
	letters := []rune(show(text))
	if len(letters) <= most {
		return string(letters)
	}
	return string(letters[:most-1]) + "…"
}
