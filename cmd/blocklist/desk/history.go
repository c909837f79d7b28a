package desk

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
)

// pageLength is the maximum number of rows of a long table on one page.
const pageLength = 50

// historyPage is a page of the history: operations and decisions on proposals, newest first.
type historyPage struct {
	Kinds                                                 []string
	Kind, Author, Reason, Reference, Target, Since, Until string // values in the query of the URL
	Operations                                            []logged
	Older, Newest                                         string // URLs of other pages; empty: there are none
}

// Names of values in the query of a page of the history: the page has what is older than these two rows.
const (
	beforeQuery  = "before"  // number of an operation
	decidedQuery = "decided" // number of a decision
)

// logged is an operation, or a decision on proposals, as a row of a table.
type logged struct {
	publish.LoggedOperation
	Waits   bool              // whether the operation changes entries, and is in no pushed release yet
	Decided []publish.Decided // first proposals of a decision; nil: the row is an operation
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
		all = append(all, logged{LoggedOperation: o, Waits: o.ID > inForce && o.Added+o.Removed > 0})
	}
	slices.Reverse(all)
	return all, nil
}

func (v *visit) history() error {
	q := v.r.URL.Query()
	p := historyPage{
		Kinds: historyKinds(), Kind: q.Get("kind"), Author: q.Get("author"), Reason: q.Get("reason"), Reference: q.Get("reference"),
		Target: q.Get("target"), Since: q.Get("since"), Until: q.Get("until"),
	}
	f := publish.LogFilter{Author: p.Author, Reference: p.Reference, Target: p.Target, Last: pageLength + 1}
	var err error
	if f.Since, err = dayOf(p.Since, 0); err != nil {
		return err
	}
	if f.Until, err = dayOf(p.Until, 1); err != nil {
		return err
	}
	if err := p.read(v, f); err != nil {
		return err
	}
	return v.show("history", "history.title", p)
}

// read fills in the rows that the filter selects, and the URLs of other pages.
func (p *historyPage) read(v *visit, f publish.LogFilter) (err error) {
	q := v.r.URL.Query()
	var operations, decisions []logged
	kind, ofDecision := strings.CutPrefix(p.Kind, decisionKind)
	if kind != "" {
		f.Kinds = []string{kind}
	}
	if f.Before, err = numberOf(q.Get(beforeQuery)); err != nil {
		return err
	}
	if !ofDecision {
		if operations, err = v.withReason(p.Reason, v.texts.operations, f, v.log); err != nil {
			return err
		}
	}
	if f.Before, err = numberOf(q.Get(decidedQuery)); err != nil {
		return err
	}
	if ofDecision || kind == "" {
		if decisions, err = v.withReason(p.Reason, v.texts.decisions, f, v.decisions); err != nil {
			return err
		}
	}
	rows, n, m := merged(operations, decisions, pageLength)
	p.Operations = rows
	if len(operations)+len(decisions) > len(rows) {
		p.Older = older(older(v.r.URL.String(), beforeQuery, operations[:n]), decidedQuery, decisions[:m])
	}
	if q.Has(beforeQuery) || q.Has(decidedQuery) {
		p.Newest = withQuery(parsed(withQuery(v.r.URL, beforeQuery, "")), decidedQuery, "")
	}
	return nil
}

// older returns the URL with the number of the last of the rows. Without rows, the URL stays the same.
func older(text, key string, rows []logged) string {
	if len(rows) == 0 {
		return text
	}
	return withQuery(parsed(text), key, strconv.FormatInt(rows[len(rows)-1].ID, 10))
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
