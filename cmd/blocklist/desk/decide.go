package desk

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
)

// decidePage is the page about some proposals, with what was found about each, and the form for a decision on them.
type decidePage struct {
	Proposals []examined
	// Steps has what was done to the proposal, newest first. It is nil if the page is about several proposals.
	Steps    []proposal.DetailedStep
	Rules    publish.Rules
	Results  []ruled // results of the decisions; empty: the form was not sent, or had no decision
	Notice   notice
	Form     changeForm
	Verbs    []proposal.Verb
	Withdraw bool     // whether all proposals ask to withdraw orders
	Held     bool     // whether the guards hold one of the proposals
	Failed   bool     // whether the decision failed for one of the proposals
	Sole     string   // the only person who may confirm proposals; empty: no one may, or several people may
	Others   []string // people other than Sole who may check; empty if Sole is empty
}

// Several reports whether the page is about several proposals. Then its form has a verdict for each.
func (p decidePage) Several() bool { return len(p.Proposals) > 1 }

// IsForm reports whether the page has the form for a decision.
func (p decidePage) IsForm() bool {
	return len(p.Verbs) > 0 && (len(p.Results) == 0 || p.Failed || p.Several())
}

// Open returns the proposals that can still be decided. The form is only about these.
func (p decidePage) Open() []examined {
	return slices.DeleteFunc(slices.Clone(p.Proposals), func(one examined) bool { return !one.IsOpen() })
}

// Confirms reports whether the person who sees the page may confirm one of the proposals.
func (p decidePage) Confirms() bool { return slices.Contains(p.Verbs, proposal.Confirm) }

// Checkers returns the people who have checked those proposals that another person must confirm.
func (p decidePage) Checkers() (names []string) {
	for _, one := range p.Proposals {
		if p.NeedsAnother(one) {
			names = append(names, one.Checker)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// NeedsAnother reports whether a proposal is checked, and needs another person to confirm it.
func (p decidePage) NeedsAnother(one examined) bool {
	return one.State == proposal.Checked && p.Rules.NeedsTwo(one.Category)
}

// Stuck reports whether one of the proposals can't be confirmed: the only person who may confirm has checked it, and
// another person is required.
func (p decidePage) Stuck() bool { return p.Sole != "" && slices.Contains(p.Checkers(), p.Sole) }

// Spares reports whether another person should check one of the proposals. If the only person who may confirm checked
// it, they could not confirm it.
func (p decidePage) Spares() bool {
	unchecked := func(one examined) bool {
		return one.IsOpen() && one.State != proposal.Checked && p.Rules.NeedsTwo(one.Category)
	}
	return p.Sole != "" && slices.Contains(p.Verbs, proposal.Check) && slices.ContainsFunc(p.Proposals, unchecked)
}

// Became reports whether the decision has changed a proposal to one of these states.
func (p decidePage) Became(states ...string) bool {
	return slices.ContainsFunc(p.Results, func(r ruled) bool {
		return r.Err == nil && slices.Contains(states, r.State)
	})
}

// Alone reports whether the person has tried to confirm a proposal that they have checked themselves.
func (p decidePage) Alone() bool {
	return slices.ContainsFunc(p.Results, func(r ruled) bool {
		return errors.Is(r.Err, proposal.ErrSecondPerson) && r.State == proposal.Checked
	})
}

// sole returns the name of the only person who may confirm proposals, and the names of the others who may check them.
// If no one may confirm, or if several people may, it returns no names.
func (v *visit) sole() (name string, others []string) {
	names := v.peopleWho(decide)
	if len(v.now.roles) == 0 && v.sessions != nil {
		names = []string{v.User}
	}
	if len(names) != 1 {
		return "", nil
	}
	for other, role := range v.now.roles {
		if other != names[0] && (person{Name: other, Role: role}).may(change) {
			others = append(others, other)
		}
	}
	slices.Sort(others)
	return names[0], others
}

// maxAtOnce is the maximum number of proposals in one decision.
const maxAtOnce = 200

// proposal shows the page of one proposal.
func (v *visit) proposal() error {
	id, err := numberOf(v.r.PathValue("id"))
	if err != nil {
		return err
	}
	return v.showDecide([]int64{id})
}

// reviewProposals shows the page of several proposals.
func (v *visit) reviewProposals() error {
	q := v.r.URL.Query()
	if from := q.Get("from"); from != "" && !q.Has("id") {
		back := withQuery(parsed(local(from)), noneQuery, "1")
		v.give(&answer{http.StatusSeeOther, http.Header{"Location": {back}}, nil, fresh})
		return nil
	}
	if q.Has(allQuery) {
		return v.reviewAll()
	}
	ids, err := v.ids(q["id"])
	if err != nil {
		return err
	}
	return v.showDecide(ids)
}

// reviewAll redirects to the page of all proposals that the query of the URL selects, at most [maxAtOnce].
func (v *visit) reviewAll() error {
	_, f, err := v.askedProposals(maxAtOnce)
	if err != nil {
		return err
	}
	found, err := proposal.List(v.r.Context(), v.ledger, f)
	if err != nil {
		return err
	}
	to := strings.Replace(withQuery(v.r.URL, allQuery, ""), "/proposals/review", "/proposals", 1)
	if len(found) > 0 {
		ids := make([]int64, len(found))
		for i, one := range found {
			ids[i] = one.ID
		}
		to = decidePath(ids)
	}
	v.give(&answer{http.StatusSeeOther, http.Header{"Location": {to}}, nil, fresh})
	return nil
}

// noneQuery is the query parameter that is set after a form was sent without a chosen proposal.
const noneQuery = "none"

// ids parses the IDs of at least one and at most [maxAtOnce] proposals.
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

func (v *visit) showDecide(ids []int64) error {
	d := v.draft()
	p := decidePage{Rules: v.now.Rules, Notice: d.notice, Withdraw: true}
	p.Results, _ = d.result.([]ruled)
	all := make([]proposal.Proposal, len(ids))
	p.Proposals = make([]examined, len(ids))
	for i, id := range ids {
		steps, err := p.Proposals[i].read(v, id)
		if err != nil {
			return err
		}
		if all[i] = p.Proposals[i].Proposal; len(ids) == 1 {
			p.Steps = steps
		}
		p.Withdraw = p.Withdraw && all[i].Withdraw
	}
	findings, err := proposal.Examine(v.r.Context(), v.ledger, all)
	if err != nil {
		return err
	}
	shown, err := v.decided(all)
	if err != nil {
		return err
	}
	for i, found := range findings {
		p.Proposals[i].decided, p.Proposals[i].Findings = shown[i], found
		p.Proposals[i].verdict(v, p.Results)
	}
	p.Verbs = v.verbs(all)
	p.Sole, p.Others = v.sole()
	status := p.fill(v)
	return v.write(status, "decide", "decide.title", p)
}

// fill fills in the form with the values that all proposals have in common, or with the values that the person typed if
// the decision failed or was not made yet. It returns the HTTP status of the page.
func (p *decidePage) fill(v *visit) int {
	bad := cmp.Or(p.Notice.Field, fieldOf(p.Notice.Err))
	for _, r := range p.Results {
		p.Failed = p.Failed || r.Err != nil
		p.Held = p.Held || errors.Is(r.Err, blocklist.ErrHeld)
		bad = cmp.Or(bad, fieldOf(r.Err))
	}
	if p.Form = common(p.Proposals); len(p.Results) == 0 || p.Failed {
		if v.draft().fields != nil {
			p.Form = v.changeForm("decide")
		}
	}
	p.Form.Kept = keptFields(p.Open())
	p.Form.Verb, p.Form.Rules, p.Form.Required, p.Form.Bad = "decide", p.Rules, p.required(), bad
	switch {
	case p.Failed:
		return http.StatusConflict
	case p.Notice.Key != "":
		return http.StatusBadRequest
	}
	return http.StatusOK
}

// required returns the fields that a confirmation requires and that at least one of the proposals lacks.
func (p decidePage) required() []string {
	return slices.DeleteFunc(needed(p.Rules), func(field string) bool {
		lacks := func(one examined) bool {
			switch field {
			case publish.FieldReference:
				return one.Reference == ""
			case publish.FieldCategory:
				return one.Category == ""
			}
			return true
		}
		return !p.Confirms() || p.Withdraw && field != publish.FieldReason || !slices.ContainsFunc(p.Proposals, lacks)
	})
}

// verbs returns the decisions that the person may take on at least one of the proposals.
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

// decideProposals takes the decisions of a sent form, except those on proposals that were changed since the page with
// the form was made.
func (v *visit) decideProposals() error {
	if err := parseForm(v.r); err != nil {
		return err
	}
	f := v.changeForm("add")
	d := proposal.Decision{
		Category: f.Category, Reference: f.Reference, Seen: map[int64]int64{}, Orders: map[int64]string{},
	}
	ids, err := v.seen(&d)
	if err != nil {
		return err
	}
	if to, fills := v.r.PostForm[fillField]; fills {
		return v.fillVerdicts(ids, to[0])
	}
	page := decidePath(ids)
	if d.Expires, err = dayToCome(f.Expires); err != nil {
		return v.leadTo(page, notice{Key: "fail.unsent", Err: &fieldError{"expires", err}}, nil)
	}
	if d.Review, err = dayToCome(f.Review); err != nil {
		return v.leadTo(page, notice{Key: "fail.unsent", Err: &fieldError{"review", err}}, nil)
	}
	all := v.rulings(d, ids, f)
	if !v.person.may(decide) && (f.Override != "" || slices.ContainsFunc(all, ruling.confirms)) {
		return errForbidden
	}
	if stop, err := v.unready(page, all); stop || err != nil {
		return err
	}
	return v.take(page, all)
}

// take takes decisions, and leads to the page from which they were sent. That page shows the results.
func (v *visit) take(page string, all []ruling) error {
	results, err := v.decideEach(all)
	switch {
	case errors.Is(err, proposal.ErrNoReason):
		return v.leadTo(page, notice{Key: "decide.noreason", Field: publish.FieldReason}, nil)
	case err != nil && len(results) > 0:
		return v.leadTo(page, notice{Key: "decide.stopped", Err: err}, results)
	case err != nil && failureOf(err).status == http.StatusInternalServerError:
		return err
	case err != nil:
		return v.leadTo(page, notice{Key: "fail.unsent", Err: err}, nil)
	}
	return v.leadTo(page, notice{}, results)
}

// decidePath returns the URL of the page for a decision on these proposals.
func decidePath(ids []int64) string {
	if len(ids) == 1 {
		return "/proposal/" + strconv.FormatInt(ids[0], 10)
	}
	q := url.Values{}
	for _, id := range ids {
		q.Add("id", strconv.FormatInt(id, 10))
	}
	return "/proposals/review?" + q.Encode()
}

// seen parses the IDs of the proposals in a sent form. For each proposal, it adds two things to d that the page with
// the form had shown: the ID of the last [publish.Step] of the proposal, and, for a withdrawal, the reference of the
// order that the person chose.
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
		if order := "order:" + strconv.FormatInt(id, 10); v.r.PostForm.Has(order) {
			d.Orders[id] = v.r.PostForm.Get(order)
		}
		if d.Seen[id], err = numberOf(steps[strconv.FormatInt(id, 10)]); err != nil {
			return nil, err
		}
	}
	return ids, nil
}
