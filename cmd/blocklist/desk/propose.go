package desk

import (
	"net/http"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
)

// proposePage has one of three things: the form for new proposals, the targets that were found in the text of the
// form, or the results of recording proposals.
type proposePage struct {
	Form         changeForm
	Source, Note string
	Evidence     string
	Withdraw     bool
	Notice       notice
	Found        []foundTarget // in the text, for the person to choose from
	Each         bool          // each line of the text is one target
	Results      []written
	Edit         string // URL of the form with what was typed
}

// IsForm reports whether the page has the form itself.
func (p proposePage) IsForm() bool { return len(p.Found) == 0 }

// foundTarget is a target that was found in a text, with what is found about it in the ledger.
type foundTarget struct {
	proposal.Found
	proposal.Findings
	As int // the line that has the same target already; 0: none
}

// IsTicked reports whether a person probably means the target: it is to be listed and is not listed, or it is to be
// withdrawn and is listed.
func (f foundTarget) IsTicked(withdraw bool) bool {
	return f.Sure && !f.Held() && (f.Listed != "") == withdraw
}

// written is the result for one proposal, with the target as it was typed.
type written struct {
	proposal.Result
	Typed string
}

// proposeForm shows the form, the targets in its text, or the results, see [proposePage].
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
	return v.write(status, "propose", "propose.title", p)
}

// keepRejected leaves only the rejected targets in the form, to be corrected.
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

// find finds the targets of the text.
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

// read reads the text: each line as one target, if each can be one, or else as an e-mail.
func (p *proposePage) read() (all []foundTarget, err error) {
	var found []proposal.Found
	if found, p.Each = oneEach(p.Form.Entries); !p.Each {
		if found, err = proposal.FindTargets(strings.NewReader(p.Form.Entries)); err != nil {
			return nil, err
		}
		found = withLone(found, p.Form.Entries)
	}
	lines := map[string]int{} // by target
	for _, f := range found {
		one := foundTarget{Found: f, As: lines[f.Target]}
		if f.Target != "" && one.As == 0 {
			lines[f.Target] = f.Line
		}
		all = append(all, one)
	}
	return all, nil
}

// withLone adds lines that consist of one word and look like a target, so that none is left out silently. These are
// malformed targets, which get an error, and forms that do not occur in e-mails, such as =name.
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

// propose records proposals about the ticked targets of a form. But if its author has not yet seen what the text was
// understood as, propose shows that first.
func (v *visit) propose() error {
	if err := v.r.ParseForm(); err != nil {
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

// oneEach returns the lines of a text as targets, and whether each line is exactly one target.
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
