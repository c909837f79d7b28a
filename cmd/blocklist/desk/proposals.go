package desk

import (
	"slices"
	"strconv"

	"github.com/argine-dns/argine/blocklist/publish/proposal"
)

// ownQuery is the name of a value in the query of a page that is made for its reader alone.
const ownQuery = "mine"

// proposalsPage has a page of proposals, the newest received first.
type proposalsPage struct {
	Proposals                       []proposal.Proposal
	States, Sources, Categories     []string
	State, Source, Category, Target string // what was asked for
	Mine                            bool   // only those that the person may confirm
	Oldest                          bool
	Turn, Next, First               string // URLs
	Open                            map[string]uint64
}

func (v *visit) proposals() error {
	q := v.r.URL.Query()
	p := proposalsPage{
		States: proposal.States(), State: q.Get("state"), Source: q.Get("source"), Category: q.Get("category"), Target: q.Get("target"),
		Mine: q.Get(ownQuery) != "", Oldest: q.Get("sort") == "received", Open: map[string]uint64{},
	}
	f := proposal.Filter{Source: p.Source, Category: p.Category, Target: p.Target, Oldest: p.Oldest, Limit: pageLength + 1}
	switch {
	case p.Mine:
		f.States, f.NotChecker = []string{proposal.Checked}, v.person.Name
	case p.State == "":
		f.States = proposal.OpenStates()
	case p.State != "all":
		f.States = []string{p.State}
	}
	var err error
	if f.After, err = numberOf(q.Get("after")); err != nil {
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
	if err := p.count(v); err != nil {
		return err
	}
	return v.show("proposals", "proposals.title", p)
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
		all = append(all, tab{"/proposals?state=" + s, "pstate." + s, state == s, number[s]})
	}
	return append(all, tab{"/proposals?state=all", "proposals.all", state == "all", 0})
}
