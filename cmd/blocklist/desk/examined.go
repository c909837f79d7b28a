package desk

import (
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
)

// examined is a proposal with its history and the present findings about it.
type examined struct {
	decided
	proposal.Findings
	Proposed proposal.Proposal     // the proposal as it was first recorded
	Check    proposal.DetailedStep // step in which a first person checked it; zero: none did
	Orders   []blocklist.Entry     // for a proposal to withdraw: the standing orders of its target
	Platform string                // platform that can take the target down; empty: unknown
	Order    string                // for a proposal to withdraw: reference of the order to withdraw
	Chosen   bool
	Last     proposal.DetailedStep // last step
	Verbs    []proposal.Verb       // decisions that the person may take
	Verdict  proposal.Verb         // chosen verdict; empty: none
	Why      string                // reason of the verdict, as it was typed
	Lacks    []notice              // what is missing or wrong in the verdict that was sent
}

// Again returns the URL of the form for new proposals, filled in with the values of this one.
func (e examined) Again() string {
	p := url.Values{"entries": {e.Target}, "source": {e.Source}, "category": {e.Category}, "reference": {e.Reference}, "note": {e.Note}, "evidence": {e.Evidence}}
	if e.Withdraw {
		p.Set("withdraw", "1")
	}
	return "/propose?" + p.Encode()
}

// read reads a proposal into e. It returns the steps of the proposal, newest first.
func (e *examined) read(v *visit, id int64) (steps []proposal.DetailedStep, err error) {
	if e.Proposal, steps, err = proposal.Get(v.r.Context(), v.ledger, id); err != nil {
		return nil, err
	}
	for i, s := range steps {
		if i == 0 {
			e.Proposed = s.Change
		}
		if s.Kind == string(proposal.Check) {
			e.Check = s
		}
	}
	if entry, err := blocklist.ParseEntry(e.Target); err == nil {
		e.Platform = v.Platforms.Of(entry)
	}
	if e.Withdraw && e.IsOpen() {
		if e.Orders, err = v.ledger.Orders(v.r.Context(), e.Target); err != nil {
			return nil, err
		}
		e.choose(v.draft().fields)
	}
	slices.Reverse(steps)
	if len(steps) > 0 {
		e.Last = steps[0]
	}
	return steps, nil
}

// choose sets the order that a proposal to withdraw is about: the one that the person has chosen in the form, or
// otherwise the most likely one.
func (e *examined) choose(typed url.Values) {
	named := "order:" + strconv.FormatInt(e.ID, 10)
	own := slices.ContainsFunc(e.Orders, func(o blocklist.Entry) bool { return e.Reference != "" && o.Reference == e.Reference })
	switch {
	case typed.Has(named):
		e.Order, e.Chosen = typed.Get(named), true
	case own:
		e.Order, e.Chosen = e.Reference, true
	case len(e.Orders) == 1 && e.Serial == 0: // what another list withdraws is its own order
		e.Order, e.Chosen = e.Orders[0].Reference, true
	}
}

// common returns a form for a decision that is filled in with the values that all proposals have in common.
func common(all []examined) (f changeForm) {
	for i, p := range all {
		for _, field := range []struct {
			of   *string
			here string
		}{
			{&f.Category, p.Category},
			{&f.Reference, p.Reference},
			{&f.Expires, wholeDay(p.Expires)},
			{&f.Review, wholeDay(p.Review)},
		} {
			if i == 0 {
				*field.of = field.here
			}
			if *field.of != field.here {
				*field.of = ""
			}
		}
	}
	return f
}

// keptFields returns the names of the fields in which at least one proposal has a value.
func keptFields(all []examined) (fields []string) {
	for _, p := range all {
		if p.Category != "" {
			fields = append(fields, publish.FieldCategory)
		}
		if p.Reference != "" {
			fields = append(fields, publish.FieldReference)
		}
	}
	return fields
}

// wholeDay returns a time that is the beginning of a day (UTC) as the value of a date field. For any other time it
// returns an empty text.
func wholeDay(at time.Time) string {
	if at.IsZero() || !at.UTC().Truncate(24*time.Hour).Equal(at) {
		return ""
	}
	return at.UTC().Format(time.DateOnly)
}
