package desk

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
)

// proposalsPage is a page of proposals, sorted by reception, the newest first unless Oldest is set.
type proposalsPage struct {
	Proposals                       []decided
	States, Sources, Categories     []string
	State, Source, Category, Target string // values in the query of the URL
	Since, Until                    string // first and last day of reception
	Mine                            bool   // whether to show only proposals that the person may confirm
	More                            bool   // whether more proposals match the text than the search returns
	Oldest                          bool
	Turn, Next, First, Table, Week  string // URLs of other views
	Open                            map[string]uint64
	NoneChosen                      bool   // whether the form was sent without a chosen proposal
	Ticked                          bool   // whether all proposals of the page are ticked
	Tick, Untick                    string // URLs of the page with all proposals ticked, and with none
	All                             string // URL of the page of all selected proposals; empty: they are on one page
	Found                           int    // number of proposals on that page
	MoreFound                       bool   // whether more proposals are selected than that page can have
}

// askedProposals parses the query of the URL. It returns the page with these values, and the filter that selects the
// page's proposals, at most limit.
func (v *visit) askedProposals(limit int) (p proposalsPage, f proposal.Filter, err error) {
	q := v.r.URL.Query()
	p = proposalsPage{
		States: proposal.States(), State: q.Get("state"), Source: q.Get("source"), Category: q.Get("category"), Target: q.Get("target"),
		Since: q.Get("since"), Until: q.Get("until"),
		Mine: q.Get(ownQuery) != "", Oldest: q.Get("sort") == "received", Open: map[string]uint64{}, NoneChosen: q.Has(noneQuery), Ticked: q.Has(tickedQuery),
	}
	f = proposal.Filter{Source: p.Source, Category: p.Category, Oldest: p.Oldest, Limit: limit}
	switch {
	case p.Mine:
		f.States, f.NotChecker = []string{proposal.Checked}, v.person.Name
	case p.State == "":
		f.States = proposal.OpenStates()
	case p.State != "all":
		f.States = []string{p.State}
	}
	if f.Since, err = dayOf(p.Since, 0); err != nil {
		return p, f, err
	}
	if f.Until, err = dayOf(p.Until, 1); err == nil && p.Target != "" {
		p.More, err = v.fill(&f, p.Target)
	}
	return p, f, err
}

func (v *visit) proposals() error {
	p, f, err := v.askedProposals(pageLength + 1)
	if err != nil {
		return err
	}
	if f.After, err = numberOf(v.r.URL.Query().Get("after")); err != nil {
		return err
	}
	found, err := proposal.List(v.r.Context(), v.ledger, f)
	if err != nil {
		return err
	}
	more := len(found) > pageLength
	found = found[:min(len(found), pageLength)]
	if p.Proposals, err = v.decided(found); err != nil {
		return err
	}
	here := without(v.r.URL, noneQuery, tickedQuery)
	p.Tick, p.Untick = withQuery(here, tickedQuery, "1"), here.String()
	if more {
		p.Next = withQuery(here, "after", strconv.FormatInt(found[pageLength-1].ID, 10))
	}
	here = without(here, "after")
	if f.After > 0 {
		p.First = here.String()
	}
	if p.Turn = withQuery(here, "sort", "received"); p.Oldest {
		p.Turn = withQuery(here, "sort", "")
	}
	p.Table = strings.Replace(here.String(), "/proposals", "/proposals.csv", 1)
	monday := time.Now().AddDate(0, 0, -int(time.Now().Weekday()+6)%7).Format(time.DateOnly)
	p.Week = withQuery(without(here, "until"), "since", monday)
	if more || f.After > 0 {
		p.All = strings.Replace(withQuery(here, allQuery, "1"), "/proposals", "/proposals/review", 1)
		if err := p.countSelected(v, f); err != nil {
			return err
		}
	}
	if err := p.count(v); err != nil {
		return err
	}
	return v.show("proposals", "proposals.title", p)
}

// maxTable is the maximum number of proposals in a spreadsheet file, which is made in memory.
const maxTable = 100_000

// proposalTable sends the selected proposals as a file for a spreadsheet.
func (v *visit) proposalTable() error {
	_, f, err := v.askedProposals(maxTable + 1)
	if err != nil {
		return err
	}
	rows := 0
	limited := func(yield func(proposal.Proposal, error) bool) {
		for p, err := range proposal.All(v.r.Context(), v.ledger, f) {
			if rows++; rows > maxTable {
				err = fmt.Errorf("%w: a table has at most %d proposals; blocklist proposals --csv writes more", blocklist.ErrTooLarge, maxTable)
			}
			if !yield(p, err) {
				return
			}
		}
	}
	var b bytes.Buffer
	if err := proposal.WriteTable(&b, limited); err != nil {
		return err
	}
	v.give(&answer{http.StatusOK, http.Header{
		"Content-Type": {"text/csv; charset=utf-8"}, "Content-Disposition": {`attachment; filename="proposals.csv"`},
	}, b.Bytes(), fresh})
	return nil
}

// count fills in the sources and categories of all proposals, and the numbers of open proposals by state.
func (p *proposalsPage) count(v *visit) error {
	all, err := proposal.Counts(v.r.Context(), v.ledger)
	for _, c := range all {
		p.Sources, p.Categories = append(p.Sources, c.Source), append(p.Categories, c.Category)
		p.Open[c.State] += c.Number
	}
	unique := func(texts []string) []string {
		slices.Sort(texts)
		return slices.DeleteFunc(slices.Compact(texts), func(text string) bool { return text == "" })
	}
	p.Sources, p.Categories = unique(p.Sources), unique(p.Categories)
	return err
}

// countSelected fills in how many of the proposals that the filter selects one decision can be about.
func (p *proposalsPage) countSelected(v *visit, f proposal.Filter) error {
	f.After, f.Limit = 0, maxAtOnce+1
	all, err := proposal.List(v.r.Context(), v.ledger, f)
	p.Found, p.MoreFound = min(len(all), maxAtOnce), len(all) > maxAtOnce
	return err
}

// proposalTabs returns the links to the views of the page: one for each state, and others.
func proposalTabs(state string, mine bool, number map[string]uint64) []tab {
	all := []tab{{"/proposals", "proposals.open", state == "" && !mine, 0}, {"/proposals?mine=1", "proposals.mine", mine, 0}}
	for _, s := range proposal.States() {
		all = append(all, tab{"/proposals?state=" + s, "pstates." + s, state == s, number[s]})
	}
	return append(all, tab{"/proposals?state=all", "proposals.all", state == "all", 0})
}
