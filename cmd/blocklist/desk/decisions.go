package desk

import (
	"slices"
	"strconv"
	"strings"

	"github.com/argine-dns/argine/blocklist/publish"
)

// decisionKind is the beginning of the kind of a row that is a decision on proposals. The kind of the decision follows.
const decisionKind = "proposal-"

// historyKinds returns the kinds of rows in the history: those of operations and of decisions on proposals.
func historyKinds() []string {
	kinds := publish.Kinds()
	for _, kind := range publish.DecisionKinds() {
		kinds = append(kinds, decisionKind+kind)
	}
	return kinds
}

// maxDecided is the maximum number of proposals in one row of a table.
const maxDecided = 3

// decisions returns the decisions on proposals that a filter selects, newest first.
func (v *visit) decisions(f publish.LogFilter) (all []logged, err error) {
	if err := v.narrow(&f); err != nil {
		return nil, err
	}
	for d, err := range v.ledger.Decisions(v.r.Context(), f) {
		if err != nil {
			return nil, err
		}
		all = append(all, decisionRow(d))
	}
	slices.Reverse(all)
	return all, nil
}

func decisionRow(d publish.LoggedDecision) logged {
	row := logged{Decided: d.First[:min(len(d.First), maxDecided)]}
	row.Operation, row.More = d.AsOperation(), d.Lines-uint64(len(row.Decided))
	row.Kind = decisionKind + d.Kind
	return row
}

// narrow sets the IDs of decisions in the filter, if its author or its reference is so rare that the texts for searches
// have all decisions with it: among many decisions, the ledger would find them slowly.
func (v *visit) narrow(f *publish.LogFilter) error {
	for _, text := range []string{f.Reference, f.Author} {
		parts := strings.Split(strings.ToLower(text), "*")
		longest := slices.MaxFunc(parts, func(a, b string) int { return len(a) - len(b) })
		if longest == "" || f.IDs != nil {
			continue
		}
		ids, more, err := v.texts.decisions.find(v.r.Context(), v.ledger, longest, maxFound)
		if err != nil {
			return err
		}
		if !more {
			f.IDs = append([]int64{}, ids...)
		}
	}
	return nil
}

// withReason returns the rows that a filter selects and whose reason contains a text, newest first. The function read
// reads rows of the ledger, whose texts for searches are given.
func (v *visit) withReason(reason string, texts *haystack, f publish.LogFilter,
	read func(publish.LogFilter) ([]logged, error),
) (all []logged, err error) {
	part := strings.ToLower(strings.TrimSpace(reason))
	if part == "" {
		return read(f)
	}
	for {
		ids, more, err := texts.findReason(v.r.Context(), v.ledger, part, maxFound, f.Before)
		if err != nil {
			return nil, err
		}
		f.IDs = append([]int64{}, ids...)
		some, err := read(f)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
		if !more || len(all) >= f.Last {
			return all[:min(len(all), f.Last)], nil
		}
		f.Before = ids[len(ids)-1]
	}
}

// merged takes rows from two lists, newest first, until there are limit of them. It returns how many it took from each.
// Each list keeps its own order, even where a clock was set back.
func merged(operations, decisions []logged, limit int) (rows []logged, fromOperations, fromDecisions int) {
	for len(rows) < limit {
		o, d := operations[fromOperations:], decisions[fromDecisions:]
		switch {
		case len(o) == 0 && len(d) == 0:
			return rows, fromOperations, fromDecisions
		case len(d) == 0 || len(o) > 0 && !o[0].Time.Before(d[0].Time):
			rows, fromOperations = append(rows, o[0]), fromOperations+1
		default:
			rows, fromDecisions = append(rows, d[0]), fromDecisions+1
		}
	}
	return rows, fromOperations, fromDecisions
}

// decisionPage is the page of one decision on proposals, with some of these.
type decisionPage struct {
	publish.LoggedDecision
	Row         logged
	Proposals   []publish.Decided
	First, Last int64 // numbers of the first and the last shown proposal
	Back, More  string
}

func (v *visit) decision() error {
	id, err := numberOf(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	skip, err := numberOf(v.r.URL.Query().Get("skip"))
	if err != nil {
		return err
	}
	var p decisionPage
	if p.LoggedDecision, err = v.ledger.Decision(v.r.Context(), id); err != nil {
		return err
	}
	p.Row = decisionRow(p.LoggedDecision)
	if p.Proposals, err = first(v.ledger.DecidedBy(v.r.Context(), p.LoggedDecision, skip, linesLength)); err != nil {
		return err
	}
	p.First, p.Last = skip+1, skip+int64(len(p.Proposals))
	if p.Last < int64(p.Lines) && len(p.Proposals) > 0 {
		p.More = withQuery(v.r.URL, "skip", strconv.FormatInt(p.Last, 10))
	}
	if skip > 0 {
		p.Back = withQuery(v.r.URL, "skip", strconv.FormatInt(max(skip-linesLength, 0), 10))
	}
	return v.show("decision", "decision.title", p)
}
