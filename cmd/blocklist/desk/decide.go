package desk

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
)

// decidePage has some proposals with what stands against each, and the form of a decision.
type decidePage struct {
	Proposals []examined
	Steps     []proposal.DetailedStep // of a single one, newest first
	Rules     publish.Rules
	Results   []proposal.Decided // of a decision; none: there was none yet
	Verbs     []proposal.Verb
}

// examined is a proposal with what stands against it now.
type examined struct {
	proposal.Proposal
	proposal.Findings
}

// maxAtOnce is how many proposals one page decides on.
const maxAtOnce = 200

// proposal is the page of one proposal.
func (v *visit) proposal() error {
	id, err := numberOf(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	return v.showDecide(http.StatusOK, []int64{id}, nil)
}

// review is the page of several proposals.
func (v *visit) reviewProposals() error {
	ids, err := v.ids(v.r.URL.Query()["id"])
	if err != nil {
		return err
	}
	return v.showDecide(http.StatusOK, ids, nil)
}

// ids reads the numbers of proposals.
func (v *visit) ids(texts []string) (ids []int64, err error) {
	if len(texts) == 0 || len(texts) > maxAtOnce {
		return nil, fmt.Errorf("%w: choose 1 to %d proposals", blocklist.ErrMalformed, maxAtOnce)
	}
	for _, text := range texts {
		id, err := numberOf(text)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (v *visit) showDecide(status int, ids []int64, results []proposal.Decided) error {
	p := decidePage{Rules: v.now.Rules, Results: results}
	var all []proposal.Proposal
	for _, id := range ids {
		one, steps, err := proposal.Get(v.r.Context(), v.ledger, id)
		if err != nil {
			return err
		}
		if all = append(all, one); len(ids) == 1 {
			slices.Reverse(steps)
			p.Steps = steps
		}
	}
	findings, err := proposal.Examine(v.r.Context(), v.ledger, all)
	if err != nil {
		return err
	}
	for i, one := range all {
		p.Proposals = append(p.Proposals, examined{one, findings[i]})
	}
	p.Verbs = v.verbs(all)
	return v.write(status, "decide", "decide.title", p)
}

// Checkers returns the persons who have checked proposals that another one must confirm.
func (p decidePage) Checkers() (names []string) {
	for _, one := range p.Proposals {
		if one.State == proposal.Checked && p.Rules.NeedsTwo(one.Category) {
			names = append(names, one.Checker)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// AllChecked reports whether another one must confirm each of the proposals.
func (p decidePage) AllChecked() bool {
	return !slices.ContainsFunc(p.Proposals, func(one examined) bool {
		return one.State != proposal.Checked || !p.Rules.NeedsTwo(one.Category)
	})
}

// Alone reports whether the person has tried to confirm what they have checked.
func (p decidePage) Alone() bool {
	return slices.ContainsFunc(p.Results, func(r proposal.Decided) bool {
		return errors.Is(r.Err, proposal.ErrSecondPerson) && r.State == proposal.Checked
	})
}

// verbs returns the decisions that somebody with the person's role may take on at least one of some proposals.
func (v *visit) verbs(all []proposal.Proposal) []proposal.Verb {
	return slices.DeleteFunc(proposal.Verbs(), func(verb proposal.Verb) bool {
		if verb == proposal.Confirm && !v.person.may(decide) {
			return true
		}
		return !slices.ContainsFunc(all, func(one proposal.Proposal) bool {
			return proposal.Decision{Verb: verb}.Allowed(one, "", v.now.Rules) == nil
		})
	})
}

// decideProposals decides on proposals as their person has seen them. What others have changed since is not decided on.
func (v *visit) decideProposals() error {
	if err := v.r.ParseForm(); err != nil {
		return err
	}
	f := v.changeForm("add")
	d := proposal.Decision{
		Verb: proposal.Verb(v.r.PostForm.Get("verb")), Category: f.Category, Reference: f.Reference, Seen: map[int64]int64{},
	}
	if (d.Verb == proposal.Confirm || f.Override != "") && !v.person.may(decide) {
		return errForbidden
	}
	var err error
	if d.IDs, err = v.seen(&d); err != nil {
		return err
	}
	if d.Expires, err = dayOf(f.Expires, 0); err != nil {
		return err
	}
	if d.Review, err = dayOf(f.Review, 0); err != nil {
		return err
	}
	by := publish.Audit{Author: v.person.Name, Reason: f.Reason, Reference: f.Decision, Override: f.Override}
	results, err := proposal.Decide(v.r.Context(), v.ledger, d, by)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if slices.ContainsFunc(results, func(r proposal.Decided) bool { return r.Err != nil }) {
		status = http.StatusConflict
	}
	return v.showDecide(status, d.IDs, results)
}

// seen reads which proposals a form is about, each with the last step that its person has seen.
func (v *visit) seen(d *proposal.Decision) (ids []int64, err error) {
	var texts []string
	steps := map[string]string{}
	for _, pair := range v.r.PostForm["seen"] {
		id, step, _ := strings.Cut(pair, ":")
		texts, steps[id] = append(texts, id), step
	}
	if ids, err = v.ids(texts); err != nil {
		return nil, err
	}
	for _, id := range ids {
		if d.Seen[id], err = numberOf(steps[strconv.FormatInt(id, 10)]); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// proposePage is the form of new proposals, and what became of them.
type proposePage struct {
	Form    changeForm
	Source  string
	Note    string
	Rules   publish.Rules
	Results []proposal.Result
}

func (v *visit) proposeForm() error {
	return v.show("propose", "propose.title", proposePage{Form: v.changeForm("add"), Rules: v.now.Rules})
}

// propose records proposals about the targets of a form.
func (v *visit) propose() error {
	p := proposePage{Form: v.changeForm("add"), Source: strings.TrimSpace(v.r.FormValue("source")), Note: strings.TrimSpace(v.r.FormValue("note")), Rules: v.now.Rules}
	var all []proposal.Proposal
	for line := range strings.Lines(p.Form.Entries) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		all = append(all, proposal.Proposal{
			Target: line, Source: p.Source, Category: p.Form.Category, Reference: p.Form.Reference, Note: p.Note,
			Evidence: strings.TrimSpace(v.r.FormValue("evidence")), Withdraw: v.r.FormValue("withdraw") != "",
		})
	}
	if len(all) == 0 || len(all) > maxEntries {
		return fmt.Errorf("%w: a form has 1 to %d targets", blocklist.ErrMalformed, maxEntries)
	}
	var err error
	by := publish.Audit{Author: v.person.Name, Reason: p.Form.Reason}
	p.Results, err = proposal.Propose(v.r.Context(), v.ledger, all, by, nil)
	if err != nil {
		return err
	}
	return v.show("propose", "propose.title", p)
}
