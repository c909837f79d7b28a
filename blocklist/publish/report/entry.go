package report

import (
	"cmp"
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/words"
)

// entryPage is the data of the page with the history of an entry, and of the entries that cover it.
type entryPage struct {
	head
	Own, Covers []entryPart
	Timeline    timeline
	Enforced    Enforcement
}

// entryPart is the history of one target on an entry page.
type entryPart struct {
	*publish.EntryHistory
	State string // the target's effect in words
}

// Entry writes the page with the history of a name, a URL or an address, in any usual spelling.
func Entry(ctx context.Context, w io.Writer, l *publish.Ledger, text string, o Options) error {
	all, err := l.EntryHistory(ctx, text)
	if err != nil {
		return err
	}
	p := entryPage{}
	if p.head, err = newHead(ctx, l, o); err != nil {
		return err
	}
	p.Title, p.Subtitle = titleOf(text, all[0].Target), p.words.Text("report.entry.how")
	var releases []publish.ReleaseInfo
	seen := map[uint64]bool{}
	for _, h := range all {
		part := entryPart{EntryHistory: h, State: effectText(h.Effect, p.words)}
		if h.Covers {
			p.Covers = append(p.Covers, part)
		} else {
			p.Own = append(p.Own, part)
		}
		for _, e := range h.Events {
			if r := e.Release; r != nil && !seen[r.Serial] {
				seen[r.Serial] = true
				releases = append(releases, *r)
			}
		}
	}
	p.Timeline = newTimeline(all, p.Made)
	slices.SortFunc(releases, func(a, b publish.ReleaseInfo) int { return cmp.Compare(a.Serial, b.Serial) })
	if p.Enforced, err = enforced(ctx, l, releases, o, p.Made); err != nil {
		return err
	}
	return p.write(w, "entry.tmpl", p)
}

// titleOf returns the title of an entry page: the target, without a leading = unless the typed text has one.
func titleOf(text, target string) string {
	if strings.HasPrefix(strings.TrimSpace(text), "=") {
		return target
	}
	return strings.TrimPrefix(target, "=")
}

// effectText returns in words what subscribers do with a target.
func effectText(e publish.Effect, w *words.Words) string {
	since := " " + w.Second(e.Since.UTC())
	if e.Page && e.InForce() {
		since += " " + w.Text("effect.page")
	}
	switch {
	case e.State == publish.EffectNever:
		return w.Text("report.neveritself")
	case e.State == publish.EffectInForce && e.Monitor:
		return w.Text("effect.monitored") + since
	case e.State == publish.EffectInForce:
		return w.Text("effect.inforce") + since
	case e.State == publish.EffectLeaving && e.Urgent:
		return w.Text("effect.leaving.urgent")
	case e.State == publish.EffectLeaving && e.Monitor:
		return w.Text("effect.leaving.monitor")
	case e.State == publish.EffectExpired, e.State == publish.EffectEnded:
		return w.Text("effect."+e.State) + since
	}
	return w.Text("effect." + e.State)
}

// span is a period in which a target was listed.
type span struct{ from, to time.Time }

// spans returns the periods in which a target was listed: in the ledger, and in pushed releases.
func spans(h *publish.EntryHistory, now time.Time) (ledger, published []span) {
	for _, e := range h.Events {
		ledger = addEvent(ledger, e, e.Operation.Time)
		if e.Release != nil {
			published = addEvent(published, e, e.Release.Pushed)
		}
	}
	if h.Effect.InForce() { // an urgent order blocks without a release
		published = append(published, span{from: h.Effect.Since})
	}
	return closed(ledger, now), closed(published, now)
}

// addEvent adds an event: it begins a period, ends the last one, or changes nothing. The argument at is the time of the
// event.
func addEvent(all []span, e publish.EntryEvent, at time.Time) []span {
	open := len(all) > 0 && all[len(all)-1].to.IsZero()
	switch {
	case e.Change == publish.ChangeRemoved && open:
		all[len(all)-1].to = at
	case e.After != "" && !open:
		all = append(all, span{from: at})
	}
	return all
}

// closed ends the last period, if that period is open. The argument now is the end.
func closed(all []span, now time.Time) []span {
	if n := len(all); n > 0 && all[n-1].to.IsZero() {
		all[n-1].to = now
	}
	return all
}

// timeline is a chart of the periods in which targets were listed.
type timeline struct {
	Width, Height, Left, Right, Bottom int
	Ticks                              []timelineTick
	Close                              bool // whether ticks are so close that their labels need the time of day
	Rows                               []timelineRow
}

// timelineTick is a tick of the time axis. Anchor is the SVG text-anchor that keeps its label inside the chart.
type timelineTick struct {
	At     float64
	Time   time.Time
	Anchor string
}

type timelineRow struct {
	Y                 int
	Name              string
	Ledger, Published []box
	Urgent            []float64 // x of each urgent order
}

type box struct{ X, Width float64 }

// maxTimelineRows is the maximum number of targets in a timeline.
const maxTimelineRows = 16

func newTimeline(all []*publish.EntryHistory, now time.Time) timeline {
	t := timeline{Width: chartWidth, Left: 190, Right: chartWidth - 16}
	first := now
	for _, h := range all {
		if len(h.Events) > 0 && h.Events[0].Operation.Time.Before(first) {
			first = h.Events[0].Operation.Time
		}
	}
	first = first.Add(-max(now.Sub(first)/50, time.Minute))
	scale := func(at time.Time) float64 {
		return float64(t.Left) + float64(t.Right-t.Left)*at.Sub(first).Seconds()/now.Sub(first).Seconds()
	}
	boxes := func(all []span) (out []box) {
		for _, s := range all {
			out = append(out, box{scale(s.from), max(scale(s.to)-scale(s.from), 2)})
		}
		return out
	}
	for _, h := range all {
		if len(h.Events) == 0 || len(t.Rows) == maxTimelineRows {
			continue
		}
		row := timelineRow{Y: 10 + 28*len(t.Rows), Name: clipped(h.Target, 26)}
		ledger, published := spans(h, now)
		row.Ledger, row.Published = boxes(ledger), boxes(published)
		for _, e := range h.Events {
			if e.Change == publish.ChangeOrdered {
				row.Urgent = append(row.Urgent, scale(e.Operation.Time))
			}
		}
		t.Rows = append(t.Rows, row)
	}
	t.Bottom = 8 + 28*len(t.Rows)
	t.Height = t.Bottom + 22
	t.Close = now.Sub(first) < 72*time.Hour
	parts := 4
	if t.Close {
		parts = 3 // their labels are longer
	}
	for i := range parts + 1 {
		at := first.Add(now.Sub(first) / time.Duration(parts) * time.Duration(i))
		anchor := "middle"
		if i == parts {
			anchor = "end"
		}
		t.Ticks = append(t.Ticks, timelineTick{scale(at), at.UTC(), anchor})
	}
	return t
}
