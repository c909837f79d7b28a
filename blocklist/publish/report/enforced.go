package report

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/receipt"
)

// enforcement describes how fast subscribers enforced releases.
type enforcement struct {
	Given       bool // receipts were given
	From        string
	Deadline    time.Duration
	Releases    int // whose time is known
	Subscribers []subscriberTimes
	Chart       timeChart
}

// subscriberTimes are the times of one subscriber.
type subscriberTimes struct {
	Name            string
	said            []receipt.Statement
	Times           []releaseTime // of the releases that it has confirmed, in order of serials
	InTime          int
	Missing         []uint64 // serials that were due, without a receipt
	Differs         []uint64 // serials of which it has stated another content than was signed
	Median, Slowest time.Duration
	SlowestSerial   uint64
}

type releaseTime struct {
	Serial uint64
	Took   time.Duration
}

// enforced returns how fast subscribers enforced the releases whose signatures are valid.
func enforced(ctx context.Context, l *publish.Ledger, releases []publish.ReleaseInfo, o Options, now time.Time) (
	e enforcement, err error,
) {
	if e.Deadline = o.Deadline; o.Receipts == nil {
		return e, nil
	}
	e.Given, e.From = true, o.Receipts.From
	releases = slices.DeleteFunc(slices.Clone(releases), func(r publish.ReleaseInfo) bool { return r.Problem != "" })
	e.Releases = len(releases)
	by := map[string]*subscriberTimes{}
	for _, name := range slices.Sorted(slices.Values(o.Receipts.Subscribers)) {
		by[name] = &subscriberTimes{Name: name}
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
	for r, err := range l.Releases(ctx, 0) {
		if err != nil {
			return nil, err
		}
		digests[r.Serial] = r.SignedDigest
	}
	return digests, nil
}

// hear keeps a statement, unless its digest differs from the signed one.
func (s *subscriberTimes) hear(st receipt.Statement, signed map[uint64]string) {
	if digest := signed[st.Serial]; digest != st.Digest || digest == "" {
		if !slices.Contains(s.Differs, st.Serial) {
			s.Differs = append(s.Differs, st.Serial)
		}
		return
	}
	s.said = append(s.said, st)
}

// add finds out when a release was enforced: at the first receipt for the release, or for a later release if this one
// was skipped. A release older than the kept receipts is not confirmed.
func (s *subscriberTimes) add(r publish.ReleaseInfo, deadline time.Duration, now time.Time) {
	first, older := time.Time{}, false
	for _, st := range s.said {
		older = older || st.Serial <= r.Serial
		if st.Serial >= r.Serial && (first.IsZero() || st.Enforced.Before(first)) {
			first = st.Enforced
		}
	}
	switch {
	case !first.IsZero() && older:
		t := releaseTime{Serial: r.Serial, Took: max(first.Sub(r.Created), 0)}
		if s.Times = append(s.Times, t); t.Took <= deadline {
			s.InTime++
		}
	case now.Sub(r.Created) > deadline:
		s.Missing = append(s.Missing, r.Serial)
	}
}

func (s *subscriberTimes) sum() {
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

// timeChart is a chart of the times of subscribers, on a logarithmic scale.
type timeChart struct {
	Width, Height, Left, Right, Bottom int
	Ticks                              []tick
	Deadline                           float64 // x
	Rows                               []timeRow
	Hidden                             int // subscribers without a row
}

type tick struct {
	At    float64
	Label string
}

type timeRow struct {
	Y      int
	Name   string
	Median float64 // x; 0: none
	Dots   []dot
}

type dot struct {
	X     float64
	Late  bool
	Title string
}

const (
	chartWidth  = 720
	maxTimeRows = 40
	rowHeight   = 22
)

func newTimeChart(e enforcement) timeChart {
	longest := 2 * e.Deadline
	for _, s := range e.Subscribers {
		longest = max(longest, s.Slowest)
	}
	c := timeChart{Width: chartWidth, Left: 170, Right: chartWidth - 16}
	scale := func(d time.Duration) float64 {
		return float64(c.Left) + float64(c.Right-c.Left)*math.Log1p(d.Seconds())/math.Log1p(longest.Seconds())
	}
	for i, s := range e.Subscribers {
		if i == maxTimeRows {
			c.Hidden = len(e.Subscribers) - maxTimeRows
			break
		}
		row := timeRow{Y: 24 + rowHeight*i, Name: clipped(s.Name, 24)}
		if len(s.Times) > 0 {
			row.Median = scale(s.Median)
		}
		for _, t := range s.Times {
			row.Dots = append(row.Dots, dot{scale(t.Took), t.Took > e.Deadline, fmt.Sprintf("serial %d: %s", t.Serial, took(t.Took))})
		}
		c.Rows = append(c.Rows, row)
	}
	c.Bottom = 14 + rowHeight*len(c.Rows)
	c.Height, c.Deadline = c.Bottom+24, scale(e.Deadline)
	for _, t := range []struct {
		d     time.Duration
		label string
	}{
		{0, "0"},
		{10 * time.Second, "10 s"},
		{time.Minute, "1 min"},
		{10 * time.Minute, "10 min"},
		{time.Hour, "1 h"},
		{6 * time.Hour, "6 h"},
		{24 * time.Hour, "1 d"},
		{7 * 24 * time.Hour, "7 d"},
		{30 * 24 * time.Hour, "30 d"},
	} {
		if t.d <= longest {
			c.Ticks = append(c.Ticks, tick{scale(t.d), t.label})
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
