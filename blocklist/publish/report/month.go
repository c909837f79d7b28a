package report

import (
	"cmp"
	"context"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
	"github.com/argine-dns/argine/blocklist/publish/words"
)

// monthPage is the data of the page about one month.
type monthPage struct {
	head
	Before, After uint64 // number of listed entries before and after the month
	Total         tally
	Days          []dayTally // days with changes
	DayChart      dayChart
	Categories    []categoryTally
	CategoryMax   uint64
	Releases      []publish.ReleaseInfo
	Operations    []publish.LoggedOperation
	Enforced      Enforcement
	Proposals     proposal.Activity
	Decisions     []publish.LoggedDecision
	Rules         publish.Rules
}

// Share returns n in percent of CategoryMax, the largest number of any category.
func (p monthPage) Share(n uint64) float64 { return 100 * float64(n) / float64(max(p.CategoryMax, 1)) }

// tally counts entries that were listed, delisted or changed.
type tally struct{ Listed, Delisted, Changed uint64 }

func (t *tally) add(o tally) {
	t.Listed += o.Listed
	t.Delisted += o.Delisted
	t.Changed += o.Changed
}

type dayTally struct {
	Day time.Time
	tally
}

type categoryTally struct {
	Category string // empty: entries without a category
	tally
}

// Month writes the page about the month that contains a time, in UTC. The page has the entries listed and delisted by
// day and category, the activity with proposals, the releases with their signers, how fast subscribers enforced them,
// all operations, and all decisions on proposals.
func Month(ctx context.Context, w io.Writer, l *publish.Ledger, month time.Time, o Options) error {
	year, m, _ := month.Date()
	from := time.Date(year, m, 1, 0, 0, 0, 0, time.UTC)
	p := monthPage{}
	var err error
	if p.head, err = newHead(ctx, l, o); err != nil {
		return err
	}
	p.Title, p.Subtitle = p.words.Month(from), p.words.Text("report.month.how")
	if err := p.fill(ctx, l, from, from.AddDate(0, 1, 0)); err != nil {
		return err
	}
	if p.Enforced, err = enforced(ctx, l, p.Releases, o, p.Made); err != nil {
		return err
	}
	if p.Proposals, err = proposal.ReadActivity(ctx, l, from, from.AddDate(0, 1, 0)); err != nil {
		return err
	}
	if p.Rules, err = l.Rules(ctx); err != nil {
		return err
	}
	return p.write(w, "month.tmpl", p)
}

func newHead(ctx context.Context, l *publish.Ledger, o Options) (h head, err error) {
	h = head{
		List: l.List(), Made: time.Now(), Program: o.Program, Confidential: l.Confidential(),
		Language: cmp.Or(o.Language, words.Languages()[0]),
	}
	if h.words, err = words.Read(h.Language); err != nil {
		return h, err
	}
	h.Last, err = last(ctx, l, publish.LogFilter{})
	return h, err
}

// last returns the newest operation that a filter selects, or the zero value if there is none.
func last(ctx context.Context, l *publish.Ledger, f publish.LogFilter) (publish.Operation, error) {
	f.Last = 1
	for o, err := range l.Log(ctx, f) {
		return o.Operation, err
	}
	return publish.Operation{}, nil
}

func (p *monthPage) fill(ctx context.Context, l *publish.Ledger, from, to time.Time) error {
	before, err := last(ctx, l, publish.LogFilter{Until: from})
	if err != nil {
		return err
	}
	p.Before, p.After = before.Entries, before.Entries
	c := newCounter()
	for o, err := range l.Log(ctx, publish.LogFilter{Since: from, Until: to}) {
		if err == nil {
			err = c.operation(ctx, l, o.Operation)
		}
		if err != nil {
			return err
		}
		p.Operations, p.After = append(p.Operations, o), o.Entries
	}
	for d, err := range l.Decisions(ctx, publish.LogFilter{Since: from, Until: to}) {
		if err != nil {
			return err
		}
		p.Decisions = append(p.Decisions, d)
	}
	p.Total = c.total
	for _, d := range slices.SortedFunc(maps.Keys(c.days), time.Time.Compare) {
		p.Days = append(p.Days, dayTally{d, *c.days[d]})
	}
	p.DayChart = newDayChart(from, to, c.days)
	for category, t := range c.categories {
		p.Categories = append(p.Categories, categoryTally{category, *t})
		p.CategoryMax = max(p.CategoryMax, t.Listed, t.Delisted)
	}
	slices.SortFunc(p.Categories, func(a, b categoryTally) int {
		return cmp.Or(cmp.Compare(b.Listed+b.Delisted, a.Listed+a.Delisted), cmp.Compare(a.Category, b.Category))
	})
	for r, err := range l.ReleasesSince(ctx, from) { // none is pushed before it is made
		if err != nil {
			return err
		}
		if made := cmp.Or(r.Created, r.Pushed); !made.Before(from) && made.Before(to) {
			p.Releases = append(p.Releases, r)
		}
	}
	return nil
}

// counter counts the changed entries of operations, in total, by day and by category.
type counter struct {
	total      tally
	days       map[time.Time]*tally
	categories map[string]*tally
	known      map[string]string // categories of entries, by the attributes of their lines
}

func newCounter() *counter {
	return &counter{days: map[time.Time]*tally{}, categories: map[string]*tally{}, known: map[string]string{}}
}

// operation counts the changed entries of an operation. Lines about the same target must follow one another.
func (c *counter) operation(ctx context.Context, l *publish.Ledger, o publish.Operation) error {
	if o.Added+o.Removed == 0 {
		return nil
	}
	at := o.Time.UTC().Truncate(24 * time.Hour)
	var first, last publish.OperationLine
	count := func() {
		if first.Sign == "" {
			return
		}
		t := tally{Changed: 1}
		switch {
		case first.Sign == "+" && last.Sign == "+":
			t = tally{Listed: 1}
		case first.Sign == "-" && last.Sign == "-":
			t = tally{Delisted: 1}
		}
		c.total.add(t)
		entryOf(c.days, at).add(t)
		entryOf(c.categories, c.category(last)).add(t)
	}
	for line, err := range l.OperationLines(ctx, o) {
		if err != nil {
			return err
		}
		if line.Sign != "+" && line.Sign != "-" {
			continue
		}
		if line.Target != first.Target {
			count()
			first = line
		}
		last = line
	}
	count()
	return nil
}

func entryOf[K comparable](m map[K]*tally, key K) *tally {
	if m[key] == nil {
		m[key] = &tally{}
	}
	return m[key]
}

// maxKnown is the maximum number of attribute texts in counter.known. The lines of one import often share their
// attributes.
const maxKnown = 10_000

func (c *counter) category(l publish.OperationLine) string {
	category, ok := c.known[l.Attributes]
	if ok {
		return category
	}
	if e, err := blocklist.ParseEntry(l.Target + l.Attributes); err == nil {
		category = e.Category
	}
	if len(c.known) < maxKnown {
		c.known[l.Attributes] = category
	}
	return category
}
