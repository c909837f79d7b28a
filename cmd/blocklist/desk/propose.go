package desk

import (
	"net/http"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
)

// proposePage has either the form for new proposals, or the targets in the text of a sent form, or the results of
// recording proposals.
type proposePage struct {
	Form         changeForm
	Source, Note string
	Evidence     string
	Withdraw     bool
	Notice       notice
	Found        []foundTarget // targets in the text, for the person to choose from
	Each         bool          // whether each line of the text is exactly one target
	Results      []written
	Edit         string // URL of the form with the typed values
}

// IsForm reports whether the page has the form for new proposals.
func (p proposePage) IsForm() bool { return len(p.Found) == 0 }

// IsDone reports whether proposals about all targets of a sent form are recorded.
func (p proposePage) IsDone() bool { return p.Results != nil && p.Form.Entries == "" }

// foundTarget is a target that was found in a text, with the findings about it.
type foundTarget struct {
	proposal.Found
	proposal.Findings
	As int // number of an earlier line with the same target; 0: none
}

// IsTicked reports whether the target is ticked at first, because the person probably means it: it would be listed and
// is not, or it would be withdrawn and is listed. The guards must not hold it. A text often names a site that is not
// meant, such as the real bank: there, neither a page of a protected host nor what was refused before is ticked.
func (f foundTarget) IsTicked(p proposePage) bool {
	refused := slices.ContainsFunc(f.Same, func(o proposal.Other) bool { return o.State == proposal.Refused })
	meant := p.Each || f.Protected == "" && !refused
	return f.Sure && meant && !f.Held() && (f.Listed != "") == p.Withdraw
}

// written is the result of recording one proposal, with the target as it was typed.
type written struct {
	proposal.Result
	Typed string
}

// proposeForm shows the form for new proposals, the targets found in the text of a sent form, or the proposals that
// were recorded. See [proposePage].
func (v *visit) proposeForm() error {
	d := v.draft()
	p := proposePage{
		Form: v.changeForm("add"), Source: v.value("source"), Note: v.value("note"), Evidence: v.value("evidence"),
		Withdraw: v.value("withdraw") != "", Notice: d.notice, Edit: withQuery(v.r.URL, editQuery, "1"),
	}
	p.Results, _ = d.result.([]written)
	if p.Results != nil {
		p.keepRejected()
	}
	if d.fields != nil && d.result == nil && p.Notice.Key == "" && !v.r.URL.Query().Has(editQuery) {
		if err := p.find(v); err != nil {
			return err
		}
	}
	status := http.StatusOK
	if p.Notice.Key != "" {
		status = http.StatusBadRequest
	}
	title := "propose.title"
	if p.IsDone() {
		title = "propose.recorded"
	}
	return v.write(status, "propose", title, p)
}

// keepRejected leaves only the rejected targets in the form, so that the person can correct them.
func (p *proposePage) keepRejected() {
	var left []string
	for _, r := range p.Results {
		if r.Outcome == proposal.Rejected {
			left = append(left, r.Typed)
		}
	}
	if p.Form.Entries = strings.Join(left, "\n"); len(left) == 0 {
		p.Form.Reference, p.Note, p.Evidence, p.Withdraw = "", "", "", false
	}
}

// find fills in the targets in the text, with the findings about each.
func (p *proposePage) find(v *visit) error {
	found, err := p.read()
	if err != nil {
		return err
	}
	switch {
	case len(found) == 0:
		p.Notice.Key = "propose.nothing"
	case len(found) > maxEntries:
		p.Notice.Key = "propose.many"
	case p.Source == "":
		p.Notice.Key = "propose.nosource"
	}
	if p.Notice.Key != "" {
		return nil
	}
	var all []proposal.Proposal
	for _, f := range found {
		if f.Target != "" && f.As == 0 {
			all = append(all, proposal.Proposal{
				Target: f.Target, Category: p.Form.Category, Reference: p.Form.Reference, Withdraw: p.Withdraw,
			})
		}
	}
	findings, err := proposal.Examine(v.r.Context(), v.ledger, all)
	for i := range found {
		if found[i].Target != "" && found[i].As == 0 && len(findings) > 0 {
			found[i].Findings, findings = findings[0], findings[1:]
		}
	}
	p.Found = found
	return err
}

// read returns the targets in the text of the form. If each line is exactly one target, it takes the lines; otherwise
// it searches the text as it searches an e-mail.
func (p *proposePage) read() (all []foundTarget, err error) {
	var found []proposal.Found
	if found, p.Each = oneEach(p.Form.Entries); !p.Each {
		if found, err = proposal.FindTargets(strings.NewReader(p.Form.Entries)); err != nil {
			return nil, err
		}
		found = withLone(found, p.Form.Entries)
	}
	typed, lines := strings.Split(p.Form.Entries, "\n"), map[string]int{} // lines by target
	for _, f := range found {
		if f.Err != nil { // what is around a malformed target may belong to it
			f.Text = strings.TrimSpace(typed[f.Line-1])
		}
		one := foundTarget{Found: f, As: lines[f.Target]}
		if f.Target != "" && one.As == 0 {
			lines[f.Target] = f.Line
		}
		all = append(all, one)
	}
	return all, nil
}

// withLone adds lines of one word that look like a target but were not found: malformed targets, with an error, and
// forms that do not occur in e-mails, such as =name. So no target is left out silently.
func withLone(found []proposal.Found, text string) []proposal.Found {
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		e, err := proposal.ParseTarget(line)
		inside := strings.Trim(line, ".,:;!?")
		known := slices.ContainsFunc(found, func(f proposal.Found) bool {
			return f.Line == n || err == nil && f.Target == e.Target()
		})
		if err == nil && (strings.HasPrefix(line, "=") || strings.Contains(line, "/")) && !known && !strings.ContainsAny(line, " \t") {
			found = append(found, proposal.Found{Line: n, Text: line, Target: e.Target(), Sure: true})
			continue
		}
		if err == nil || known || strings.ContainsAny(inside, " \t@") || !strings.ContainsAny(inside, ".:/") {
			continue
		}
		found = append(found, proposal.Found{Line: n, Text: line, Err: err, Why: err.Error(), Sure: true})
	}
	slices.SortStableFunc(found, func(a, b proposal.Found) int { return a.Line - b.Line })
	return found
}

// propose records proposals about the ticked targets of a sent form. If the person has not yet seen which targets were
// found in the text, propose shows that first.
func (v *visit) propose() error {
	if err := parseForm(v.r); err != nil {
		return err
	}
	if v.r.PostForm.Get("found") == "" {
		return v.leadTo("/propose", notice{}, nil)
	}
	lines := v.r.PostForm["target"]
	switch {
	case len(lines) == 0:
		return v.leadTo("/propose", notice{Key: "propose.none"}, nil)
	case len(lines) > maxEntries:
		return v.leadTo("/propose", notice{Key: "propose.many"}, nil)
	case v.value("source") == "":
		return v.leadTo("/propose", notice{Key: "propose.nosource"}, nil)
	}
	all := make([]proposal.Proposal, len(lines))
	for i, line := range lines {
		all[i] = proposal.Proposal{
			Target: line, Source: v.value("source"), Category: v.value("category"), Reference: v.value("reference"), Note: v.value("note"),
			Evidence: v.value("evidence"), Withdraw: v.value("withdraw") != "",
		}
	}
	results, err := proposal.Propose(v.r.Context(), v.ledger, all, publish.Audit{Author: v.person.Name, Reason: v.value("reason")}, nil)
	if err != nil {
		return err
	}
	typed := make([]written, len(results))
	for i, r := range results {
		typed[i] = written{r, lines[i]}
	}
	return v.leadTo("/propose", notice{}, typed)
}

// oneEach returns the targets in the lines of a text; empty lines are left out. It returns false unless each line is
// exactly one target.
func oneEach(text string) (found []proposal.Found, clear bool) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		e, err := proposal.ParseTarget(line)
		if err != nil {
			return nil, false
		}
		found = append(found, proposal.Found{Line: n, Text: line, Target: e.Target(), Sure: true})
	}
	return found, true
}
