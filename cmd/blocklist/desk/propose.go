package desk

import (
	"net/http"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
)

// proposePage has one of three things: the form for new proposals, the targets that were found in a pasted text, or the
// results of recording proposals.
type proposePage struct {
	Form         changeForm
	Source, Note string
	Evidence     string
	Withdraw     bool
	Notice       notice
	Found        []foundTarget // in a pasted text, for the person to choose from
	Results      []written
	Edit         string // URL of the form with what was typed
}

// IsForm reports whether the page has the form itself.
func (p proposePage) IsForm() bool { return len(p.Found) == 0 }

// foundTarget is a target that was found in a text, with what is found about it in the ledger.
type foundTarget struct {
	proposal.Found
	proposal.Findings
}

// written is the result for one proposal, with the target as it was typed.
type written struct {
	proposal.Result
	Typed string
}

// proposeForm shows the form, the targets in a pasted text, or the results, see [proposePage].
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

// find finds the targets of a pasted text.
func (p *proposePage) find(v *visit) error {
	found, err := proposal.FindTargets(strings.NewReader(p.Form.Entries))
	if err != nil {
		return err
	}
	var all []proposal.Proposal
	for _, f := range withLone(found, p.Form.Entries) {
		p.Found = append(p.Found, foundTarget{Found: f})
		if f.Target != "" {
			all = append(all, proposal.Proposal{
				Target: f.Target, Category: p.Form.Category, Reference: p.Form.Reference, Withdraw: p.Withdraw,
			})
		}
	}
	if len(p.Found) == 0 {
		p.Notice.Key = "propose.nothing"
	}
	findings, err := proposal.Examine(v.r.Context(), v.ledger, all)
	for i := range p.Found {
		if p.Found[i].Target != "" && len(findings) > 0 {
			p.Found[i].Findings, findings = findings[0], findings[1:]
		}
	}
	return err
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

// propose records proposals about the targets of a form: the ticked targets, or all lines if each line clearly is one
// target.
func (v *visit) propose() error {
	err := v.r.ParseForm()
	if err != nil {
		return err
	}
	lines := v.r.PostForm["target"]
	if v.r.PostForm.Get("found") == "" {
		var sure bool
		if lines, sure = oneEach(v.value("entries")); sure {
			sure, err = v.unheld(lines)
		}
		if err != nil {
			return err
		}
		if !sure {
			return v.leadTo("/propose", notice{}, nil)
		}
	}
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

// unheld reports whether the guards hold none of these targets. A proposal for a held target is recorded only after a
// person has seen the finding.
func (v *visit) unheld(lines []string) (bool, error) {
	all := make([]proposal.Proposal, len(lines))
	for i, line := range lines {
		e, err := proposal.ParseTarget(line)
		if err != nil || len(lines) > maxEntries {
			return true, nil //nolint:nilerr // it is said later
		}
		all[i].Target = e.Target()
	}
	findings, err := proposal.Examine(v.r.Context(), v.ledger, all)
	return !slices.ContainsFunc(findings, func(f proposal.Findings) bool { return f.Held() }), err
}

// oneEach returns the lines of a text, and whether each line is exactly one target.
func oneEach(text string) (lines []string, clear bool) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if _, err := proposal.ParseTarget(line); err != nil {
			return nil, false
		}
		lines = append(lines, line)
	}
	return lines, true
}
