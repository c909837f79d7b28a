package desk

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
)

// pageLength is the maximum number of rows of a long table on one page.
const pageLength = 50

// historyPage is a page of the history: operations, newest first.
type historyPage struct {
	Kinds                                         []string
	Kind, Author, Reference, Target, Since, Until string // values in the query of the URL
	Operations                                    []logged
	Older, Newest                                 string // URLs of other pages; empty: there are none
}

// logged is an operation as a row of a table.
type logged struct {
	publish.LoggedOperation
	Waits bool // whether the operation changes entries, and is in no pushed release yet
}

// log returns the operations that a filter selects, newest first.
func (v *visit) log(f publish.LogFilter) (all []logged, err error) {
	inForce := int64(0)
	if v.now.Released != nil {
		inForce = v.now.Released.Operation
	}
	for o, err := range v.ledger.Log(v.r.Context(), f) {
		if err != nil {
			return nil, err
		}
		all = append(all, logged{o, o.ID > inForce && o.Added+o.Removed > 0})
	}
	slices.Reverse(all)
	return all, nil
}

func (v *visit) history() error {
	q := v.r.URL.Query()
	p := historyPage{
		Kinds: publish.Kinds(), Kind: q.Get("kind"), Author: q.Get("author"), Reference: q.Get("reference"), Target: q.Get("target"),
		Since: q.Get("since"), Until: q.Get("until"),
	}
	f := publish.LogFilter{Author: p.Author, Reference: p.Reference, Target: p.Target, Last: pageLength + 1}
	if p.Kind != "" {
		f.Kinds = []string{p.Kind}
	}
	var err error
	if f.Since, err = dayOf(p.Since, 0); err != nil {
		return err
	}
	if f.Until, err = dayOf(p.Until, 1); err != nil {
		return err
	}
	if f.Before, err = numberOf(q.Get("before")); err != nil {
		return err
	}
	if p.Operations, err = v.log(f); err != nil {
		return err
	}
	if len(p.Operations) > pageLength {
		p.Operations = p.Operations[:pageLength]
		p.Older = withQuery(v.r.URL, "before", strconv.FormatInt(p.Operations[pageLength-1].ID, 10))
	}
	if f.Before > 0 {
		p.Newest = withQuery(v.r.URL, "before", "")
	}
	return v.show("history", "history.title", p)
}

// dayOf parses a day, and returns its beginning (UTC) plus the given number of days. For an empty text it returns the
// zero time.
func dayOf(text string, after int) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return day, &dayError{text}
	}
	return day.AddDate(0, 0, after), nil
}

// numberOf parses a number. An empty text means zero.
func numberOf(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("number %.40q: %w", text, blocklist.ErrMalformed)
	}
	return n, nil
}
