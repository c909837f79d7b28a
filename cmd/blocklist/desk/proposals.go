package desk

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
)

// proposalsPage has a page of proposals, the newest received first.
type proposalsPage struct {
	Proposals                       []proposal.Proposal
	States, Sources, Categories     []string
	State, Source, Category, Target string // what was asked for
	Mine                            bool   // only those that the person may confirm
	Oldest                          bool
	Turn, Next, First, Table        string // URLs
	Open                            map[string]uint64
	NoneChosen                      bool // the person has asked to look at none
}

// askedProposals returns the page that the query asks for, and the filter for at most limit proposals from its start.
func (v *visit) askedProposals(limit int) (p proposalsPage, f proposal.Filter) {
	q := v.r.URL.Query()
	p = proposalsPage{
		States: proposal.States(), State: q.Get("state"), Source: q.Get("source"), Category: q.Get("category"), Target: q.Get("target"),
		Mine: q.Get(ownQuery) != "", Oldest: q.Get("sort") == "received", Open: map[string]uint64{}, NoneChosen: q.Has(noneQuery),
	}
	f = proposal.Filter{Source: p.Source, Category: p.Category, Target: p.Target, Oldest: p.Oldest, Limit: limit}
	switch {
	case p.Mine:
		f.States, f.NotChecker = []string{proposal.Checked}, v.person.Name
	case p.State == "":
		f.States = proposal.OpenStates()
	case p.State != "all":
		f.States = []string{p.State}
	}
	return p, f
}

func (v *visit) proposals() error {
	p, f := v.askedProposals(pageLength + 1)
	var err error
	if f.After, err = numberOf(v.r.URL.Query().Get("after")); err != nil {
		return err
	}
	if p.Proposals, err = proposal.List(v.r.Context(), v.ledger, f); err != nil {
		return err
	}
	if len(p.Proposals) > pageLength {
		p.Proposals = p.Proposals[:pageLength]
		p.Next = withQuery(v.r.URL, "after", strconv.FormatInt(p.Proposals[pageLength-1].ID, 10))
	}
	if f.After > 0 {
		p.First = withQuery(v.r.URL, "after", "")
	}
	if p.Turn = withQuery(parsed(withQuery(v.r.URL, "after", "")), "sort", "received"); p.Oldest {
		p.Turn = withQuery(parsed(withQuery(v.r.URL, "after", "")), "sort", "")
	}
	p.Table = strings.Replace(withQuery(v.r.URL, "after", ""), "/proposals", "/proposals.csv", 1)
	if err := p.count(v); err != nil {
		return err
	}
	return v.show("proposals", "proposals.title", p)
}

// maxTable is the maximum number of proposals in a table, which is made in memory.
const maxTable = 100_000

// proposalTable gives the proposals as a file for a spreadsheet.
func (v *visit) proposalTable() error {
	_, f := v.askedProposals(maxTable + 1)
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

// count fills in the sources and categories that there are, and how many proposals are open.
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

// proposalTabs returns the views of the page by state.
func proposalTabs(state string, mine bool, number map[string]uint64) []tab {
	all := []tab{{"/proposals", "proposals.open", state == "" && !mine, 0}, {"/proposals?mine=1", "proposals.mine", mine, 0}}
	for _, s := range proposal.States() {
		all = append(all, tab{"/proposals?state=" + s, "pstates." + s, state == s, number[s]})
	}
	return append(all, tab{"/proposals?state=all", "proposals.all", state == "all", 0})
}
