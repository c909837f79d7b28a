package desk

import (
	"cmp"
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

// fillField is the name of the buttons that choose a verdict for all proposals without one.
const fillField = "fill"

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

// fillVerdicts chooses a verdict for each proposal that has none yet. The empty verdict takes all verdicts back.
func (v *visit) fillVerdicts(ids []int64, to string) error {
	for _, id := range ids {
		if field := verdictField(id); to == "" || v.r.PostForm.Get(field) == "" {
			v.r.PostForm.Set(field, to)
		}
	}
	v.r.PostForm.Del(fillField)
	return v.leadTo(decidePath(ids), notice{}, nil)
}

// lacking has what is missing or wrong in the verdicts of a form, by the ID of the proposal.
type lacking map[int64][]notice

// lacks returns what is missing or wrong in the verdicts of a form.
func (v *visit) lacks(all []ruling) (lacking, error) {
	found, confirmed := lacking{}, []proposal.Proposal{}
	for _, r := range all {
		id := r.IDs[0]
		switch {
		case r.By.Reason != "":
		case r.Verb == proposal.Refuse:
			found[id] = []notice{{Key: "decide.row.noreason", Field: reasonField(id)}}
		case r.confirms() && v.now.Rules.NeedReason:
			found[id] = []notice{{Key: "rule.reason", Field: reasonField(id)}}
		}
		if !r.confirms() {
			continue
		}
		p, _, err := proposal.Get(v.r.Context(), v.ledger, id)
		if err != nil {
			return nil, err
		}
		if p.Category, p.Reference = cmp.Or(r.Category, p.Category), cmp.Or(r.Reference, p.Reference); p.IsOpen() {
			confirmed = append(confirmed, p)
		}
	}
	findings, err := proposal.Examine(v.r.Context(), v.ledger, confirmed)
	for i, f := range findings {
		if id := confirmed[i].ID; f.Breach != nil {
			found[id] = append(found[id], notice{Err: f.Breach, Field: fieldOf(f.Breach)})
		}
	}
	return found, err
}

// unready keeps a form that can't be done yet as a draft, and redirects to it. It returns false if nothing is missing.
func (v *visit) unready(page string, all []ruling) (bool, error) {
	if len(all) == 0 {
		return true, v.leadTo(page, notice{Key: "decide.nothing"}, nil)
	}
	if v.r.PostForm.Get("verb") != "" {
		return false, nil
	}
	missing, err := v.lacks(all)
	if err != nil || len(missing) == 0 {
		return false, err
	}
	first := slices.IndexFunc(all, func(r ruling) bool { return missing[r.IDs[0]] != nil })
	return true, v.leadTo(page, notice{Key: "decide.lacking", Field: missing[all[first].IDs[0]][0].Field}, missing)
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

// verdict fills in the verdicts that the person may choose, and what was typed for the proposal. A verdict that was not
// done stays chosen, unless the proposal was changed by somebody: then it must be looked at again.
func (e *examined) verdict(v *visit, results []ruled) {
	e.Verbs = v.verbs([]proposal.Proposal{e.Proposal})
	typed := v.draft().fields
	e.Why = typed.Get(reasonField(e.ID))
	e.Verdict = proposal.Verb(typed.Get(verdictField(e.ID)))
	missing, _ := v.draft().result.(lacking)
	e.Lacks = missing[e.ID]
	i := slices.IndexFunc(results, func(r ruled) bool { return r.ID == e.ID })
	if i >= 0 && results[i].Err == nil {
		e.Verdict, e.Why = "", ""
	}
	changed := i >= 0 && (errors.Is(results[i].Err, proposal.ErrChanged) || errors.Is(results[i].Err, proposal.ErrState))
	if changed || !slices.Contains(e.Verbs, e.Verdict) {
		e.Verdict = ""
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

// LacksReason reports whether the verdict needs a reason and has none.
func (e examined) LacksReason() bool {
	return slices.ContainsFunc(e.Lacks, func(n notice) bool { return n.Field == reasonField(e.ID) })
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

// choice is a button that chooses a verdict for all proposals that allow it and have none yet.
type choice struct {
	Verb proposal.Verb
	N    int // number of these proposals
}

// Choices returns the buttons that choose a verdict for several proposals.
func (p decidePage) Choices() (all []choice) {
	for _, verb := range p.Verbs {
		c := choice{Verb: verb}
		for _, one := range p.Open() {
			if one.Verdict == "" && slices.Contains(one.Verbs, verb) {
				c.N++
			}
		}
		all = append(all, c)
	}
	return all
}

// Lacking returns the proposals in whose verdicts something is missing or wrong.
func (p decidePage) Lacking() []examined {
	return slices.DeleteFunc(p.Open(), func(one examined) bool { return one.Lacks == nil })
}
