package desk

import (
	"errors"
	"slices"
	"strconv"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
)

// A form about one proposal has a button for each verb. A form about several proposals has a verdict for each of them:
// a verb with a reason, or none, which leaves the proposal as it is. Each verdict is a decision of its own.

// ruling is one decision that a form has sent.
type ruling struct {
	proposal.Decision
	By publish.Audit
}

func (r ruling) confirms() bool { return r.Verb == proposal.Confirm }

// ruled is the result of a decision about one proposal.
type ruled struct {
	proposal.Decided
	Verb   proposal.Verb
	Reason string
}

// verdictField and reasonField return the names of the fields for the verdict on a proposal, and for its reason.
func verdictField(id int64) string { return "verdict:" + strconv.FormatInt(id, 10) }
func reasonField(id int64) string  { return "reason:" + strconv.FormatInt(id, 10) }

// rulings returns the decisions that a form has sent about proposals: the one of the pressed button, or else one for
// each proposal with a verdict. A verdict without a reason of its own has the reason of the form.
func (v *visit) rulings(d proposal.Decision, ids []int64, f changeForm) (all []ruling) {
	by := publish.Audit{Author: v.person.Name, Reason: f.Reason, Reference: f.Decision, Override: f.Override}
	if d.Verb, d.IDs = proposal.Verb(v.r.PostForm.Get("verb")), ids; d.Verb != "" {
		return []ruling{{d, by}}
	}
	for _, id := range ids {
		one := ruling{d, by}
		one.Verb, one.IDs = proposal.Verb(v.value(verdictField(id))), []int64{id}
		if own := v.value(reasonField(id)); own != "" {
			one.By.Reason = own
		}
		if one.Verb != "" {
			all = append(all, one)
		}
	}
	return all
}

// unready returns what is missing before the decisions of a form can be taken. Its key is empty if nothing is.
func unready(all []ruling) notice {
	if len(all) == 0 {
		return notice{Key: "decide.nothing"}
	}
	lacks := func(r ruling) bool { return r.Verb == proposal.Refuse && r.By.Reason == "" }
	if i := slices.IndexFunc(all, lacks); i >= 0 && len(all) > 1 {
		return notice{Key: "decide.noreason", Field: reasonField(all[i].IDs[0])}
	}
	return notice{}
}

// decideEach takes decisions, one after another. It stops at the first error that is not about a proposal alone, and
// returns it with the results so far.
func (v *visit) decideEach(all []ruling) (results []ruled, err error) {
	for _, one := range all {
		decided, err := one.take(v)
		if err != nil {
			return results, err
		}
		for _, d := range decided {
			results = append(results, ruled{d, one.Verb, one.By.Reason})
		}
	}
	return results, nil
}

// take takes a decision. The guards are overridden only if they hold one of its proposals, so that no other operation
// says that they were.
func (r ruling) take(v *visit) ([]proposal.Decided, error) {
	plain := r.By
	plain.Override = ""
	all, err := proposal.Decide(v.r.Context(), v.ledger, r.Decision, plain)
	if err != nil || r.By.Override == "" {
		return all, err
	}
	r.IDs = nil
	for _, d := range all {
		if errors.Is(d.Err, blocklist.ErrHeld) {
			r.IDs = append(r.IDs, d.ID)
		}
	}
	if len(r.IDs) == 0 {
		return all, nil
	}
	again, err := proposal.Decide(v.r.Context(), v.ledger, r.Decision, r.By)
	for _, d := range again {
		all[slices.IndexFunc(all, func(first proposal.Decided) bool { return first.ID == d.ID })] = d
	}
	return all, err
}

// verdict fills in the verdicts that the person may choose, and what the form has for the proposal: what was typed, or
// the verdict in the query of the URL. After a decision no verdict is chosen, but a reason that was not used stays.
func (e *examined) verdict(v *visit, results []ruled) {
	e.Verbs = v.verbs([]proposal.Proposal{e.Proposal})
	typed := v.draft().fields
	e.Why = typed.Get(reasonField(e.ID))
	if e.Verdict = proposal.Verb(v.r.URL.Query().Get(verdictQuery)); typed != nil {
		e.Verdict = proposal.Verb(typed.Get(verdictField(e.ID)))
	}
	if len(results) > 0 || !slices.Contains(e.Verbs, e.Verdict) {
		e.Verdict = ""
	}
	if slices.ContainsFunc(results, func(r ruled) bool { return r.ID == e.ID && r.Err == nil }) {
		e.Why = ""
	}
}

// verbKey returns the key of the text that names a decision.
func verbKey(verb proposal.Verb, withdraw bool) string {
	key := "verb." + string(verb)
	if withdraw && (verb == proposal.Check || verb == proposal.Confirm) {
		key += ".withdraw"
	}
	return key
}

// Confirms reports whether the person may confirm the proposal.
func (e examined) Confirms() bool { return slices.Contains(e.Verbs, proposal.Confirm) }

// Shown returns the proposals that the page shows in full: all, but those that the sent form has decided on.
func (p decidePage) Shown() []examined {
	if !p.Several() {
		return p.Proposals
	}
	return slices.DeleteFunc(slices.Clone(p.Proposals), func(one examined) bool {
		return !one.IsOpen() && slices.ContainsFunc(p.Results, func(r ruled) bool { return r.ID == one.ID })
	})
}

// choice is a link that chooses a verdict for all proposals that allow it.
type choice struct {
	Verb proposal.Verb
	N    int // number of proposals that allow it
	URL  string
}

// choices returns the links that choose a verdict for all proposals.
func (p decidePage) choices(v *visit) (all []choice) {
	at := without(v.r.URL, draftQuery)
	for _, verb := range p.Verbs {
		c := choice{Verb: verb, URL: withQuery(at, verdictQuery, string(verb))}
		for _, one := range p.Open() {
			if slices.Contains(one.Verbs, verb) {
				c.N++
			}
		}
		all = append(all, c)
	}
	return append(all, choice{"", len(p.Open()), withQuery(at, verdictQuery, "")})
}
