package desk

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
)

// Needs reports whether the rules of the list require a field.
func (f changeForm) Needs(field string) bool { return slices.Contains(f.Required, field) }

// changePage has the form of a change, and the effects that the change would have.
type changePage struct {
	Form     changeForm
	Problem  error // why the change can't be made; nil: it can, or it was not tried
	Tried    bool
	Head     string // hash of the last operation when the change was tried
	Seen     []seenEntry
	Missing  []around          // entries that can't be withdrawn: not listed, or without an order with the reference
	Orders   []blocklist.Entry // current orders of the entry to be withdrawn, if there is only one such entry
	Foreseen []guard.Finding   // findings that would hold a release after the withdrawal
	Result   publish.ChangeResult
	Held     *guard.Report // report of the guards that hold the change; nil: no guard holds it
	Since    []logged      // operations since the change was first tried
	Edit     string        // URL of the form with the typed values
}

// Protected reports whether an entry is for a page of a protected host.
func (p changePage) Protected() bool {
	return slices.ContainsFunc(p.Seen, func(e seenEntry) bool { return e.Protected != "" })
}

// Counts reports whether the change was tried without a problem, and would change something.
func (p changePage) Counts() bool {
	r := p.Result
	return p.Tried && p.Problem == nil && p.Held == nil && r.Added+r.Joined+r.Changed+r.Removed+r.Withdrawn > 0
}

// IsForm reports whether the page has the form itself, rather than the effects of the change.
func (p changePage) IsForm() bool { return !p.Counts() }

// seenEntry is an entry of the form as it would be stored, with notes about what was typed.
type seenEntry struct {
	blocklist.Entry
	Notes     []publish.Message
	Around    around
	Held      []guard.Finding // for urgent orders: why the guards hold it
	Protected string          // see [publish.Examined]
}

// Expiring returns the order that the entry would change but whose expiry would stay: the current order with the target
// and the reference of the entry, if that order has an expiry and the entry has none. Otherwise it returns nil.
func (e seenEntry) Expiring() *blocklist.Entry {
	i := slices.IndexFunc(e.Around.Orders, func(o blocklist.Entry) bool { return o.Reference == e.Reference })
	if i < 0 || !e.Expires.IsZero() || e.Around.Orders[i].Expires.IsZero() {
		return nil
	}
	return &e.Around.Orders[i]
}

// maxEntries is the maximum number of entries in a form.
const maxEntries = 1000

// maxWrong is the maximum number of malformed lines that a page lists.
const maxWrong = 50

func (v *visit) addForm() error      { return v.showForm("add") }
func (v *visit) withdrawForm() error { return v.showForm("withdraw") }

// showForm shows the form of a change. If the form was sent, it shows what the change would do.
func (v *visit) showForm(verb string) error {
	p, d := changePage{Form: v.changeForm(verb)}, v.draft()
	if d.fields == nil || v.r.URL.Query().Has(editQuery) {
		return v.showChange(http.StatusOK, p)
	}
	status := http.StatusOK
	if seen, err := v.ledger.Operation(v.r.Context(), d.fields.Get("head")); err == nil {
		if p.Since, err = v.since(seen.ID); err != nil {
			return err
		}
		status = http.StatusConflict
	}
	return v.tryChange(status, p)
}

func (v *visit) showChange(status int, p changePage) error {
	p.Edit = withQuery(v.r.URL, editQuery, "1")
	p.Form.Required = needed(v.now.Rules)
	if _, entries, err := p.Form.parse(); p.Form.Verb != "add" && err == nil && len(entries) == 1 {
		if p.Orders, err = v.ledger.Orders(v.r.Context(), entries[0].Target()); err != nil {
			return err
		}
	}
	return v.write(status, "change", p.Form.Verb+".title", p)
}

// changeForm returns the form of a change with the values that were typed, or that a link has filled in.
func (v *visit) changeForm(verb string) changeForm {
	get := v.value
	return changeForm{
		Verb: verb, Entries: get("entries"), Category: get("category"), Reference: get("reference"), Decision: get("decision"),
		Reason: get("reason"), Expires: get("expires"), Review: get("review"), Monitor: get("status") == "monitor", Override: get("override"),
		Rules: v.now.Rules,
	}
}

// needed returns the names of the fields that the rules require in each order.
func needed(r publish.Rules) (fields []string) {
	for field, need := range map[string]bool{
		publish.FieldReason: r.NeedReason, publish.FieldReference: r.NeedReference,
		publish.FieldCategory: len(r.Categories) > 0,
	} {
		if need {
			fields = append(fields, field)
		}
	}
	return fields
}

func (v *visit) add() error      { return v.makeChange("add") }
func (v *visit) withdraw() error { return v.makeChange("withdraw") }

// makeChange makes the change of a sent form. The form names the last operation at the time when the change was tried.
// If it names none, or if there was another operation since, makeChange tries the change again and shows the result.
func (v *visit) makeChange(verb string) error {
	if err := parseForm(v.r); err != nil {
		return err
	}
	p := changePage{Form: v.changeForm(verb)}
	if p.Form.Override != "" && !v.person.may(decide) {
		return errForbidden
	}
	page := v.r.URL.Path
	seen := v.r.PostForm.Get("head")
	if seen == "" {
		return v.leadTo(page, notice{}, nil)
	}
	before, err := v.ledger.Operation(v.r.Context(), seen)
	if err != nil {
		return err
	}
	_, err = p.Form.apply(v.r.Context(), v.ledger.After(seen), v.person.Name)
	switch {
	case errors.Is(err, publish.ErrMoved):
		return v.leadTo(page, notice{}, nil)
	case err != nil:
		return err
	}
	return v.redirect("/operation/"+strconv.FormatInt(before.ID+1, 10), url.Values{doneQuery: {page}})
}

// since returns the operations after the one with this ID, newest first.
func (v *visit) since(id int64) (all []logged, err error) {
	newest, err := v.log(publish.LogFilter{Last: pageLength})
	for _, o := range newest {
		if o.ID > id {
			all = append(all, o)
		}
	}
	return all, err
}

// tryChange tries a change without recording it, and shows what it would do.
func (v *visit) tryChange(status int, p changePage) error {
	head, err := v.ledger.History().Head(v.r.Context())
	if err != nil {
		return err
	}
	p.Tried, p.Head = true, head.Hash
	p.Result, err = p.Form.apply(v.r.Context(), v.ledger.Trial(), v.person.Name)
	if held := (*guard.HeldError)(nil); errors.As(err, &held) {
		p.Held, err = held.Report, nil
	}
	switch {
	case err == nil:
		err = p.look(v)
	case errors.Is(err, publish.ErrNotListed), errors.Is(err, publish.ErrNoOrder):
		err = errors.Join(err, p.findMissing(v))
	}
	if err != nil && failureOf(err).status == http.StatusInternalServerError {
		return err
	}
	if err != nil {
		p.Problem, status = err, max(status, failureOf(err).status)
		p.Form.Bad = fieldOf(err)
	}
	return v.showChange(status, p)
}

// look fills in how each entry to be added would be stored, and what covers it. For a withdrawal, it fills in the
// findings that would hold a release after it.
func (p *changePage) look(v *visit) error {
	lines, entries, err := p.Form.parse()
	if err != nil {
		return err
	}
	if p.Form.Verb != "add" {
		p.Foreseen, err = v.ledger.Foresee(v.r.Context(), p.Result)
		return err
	}
	x, err := v.ledger.NewExaminer(v.r.Context())
	if err != nil {
		return err
	}
	examined, err := x.Examine(v.r.Context(), entries)
	if err != nil {
		return err
	}
	for i, e := range entries {
		s := seenEntry{Entry: e, Protected: examined[i].Protected}
		if v.Notes != nil {
			s.Notes = v.Notes(lines[i], e)
		}
		if s.Around, err = v.around(e); err != nil {
			return err
		}
		p.Seen = append(p.Seen, s)
	}
	return nil
}

// findMissing fills in the entries that can't be withdrawn, because they are not listed as typed or have no order with
// the reference. For each it also looks up the listed entries that cover it or are part of it.
func (p *changePage) findMissing(v *visit) error {
	_, entries, err := p.Form.parse()
	if err != nil {
		return err
	}
	for _, e := range entries {
		a, err := v.around(e)
		if err != nil {
			return err
		}
		named := func(o blocklist.Entry) bool { return p.Form.Reference == "" || o.Reference == p.Form.Reference }
		if slices.ContainsFunc(a.Orders, named) {
			continue
		}
		effects, err := v.ledger.Effects(v.r.Context(), []string{a.Target}, time.Now())
		if err != nil {
			return err
		}
		a.Effect = effects[a.Target]
		p.Missing = append(p.Missing, a)
	}
	return nil
}

// More returns the number of changed targets that the page does not show.
func (p changePage) More() uint64 {
	r := p.Result
	changed, shown := r.Added+r.Joined+r.Changed+r.Removed+r.Withdrawn, uint64(len(r.Orders))
	return changed - min(shown, changed)
}

// apply makes the change in the ledger l, which may be one for a dry run.
func (f changeForm) apply(ctx context.Context, l *publish.Ledger, author string) (publish.ChangeResult, error) {
	_, entries, err := f.parse()
	if err != nil {
		return publish.ChangeResult{}, err
	}
	by := publish.Audit{Author: author, Reason: f.Reason, Reference: f.Reference, Override: f.Override}
	if f.Verb == "add" {
		return l.Add(ctx, entries, by)
	}
	if len(entries) == 0 && f.Reference == "" {
		return publish.ChangeResult{}, &fieldError{"entries", errNoEntry}
	}
	if by.Reference = f.Decision; f.Reference == "" {
		return l.Remove(ctx, entries, by)
	}
	return l.Withdraw(ctx, f.Reference, entries, by)
}

// dayToCome parses a day in the future. It fails with [publish.ErrOver] for today or an earlier day. For an empty text
// it returns the zero time.
func dayToCome(text string) (day time.Time, err error) {
	if day, err = dayOf(text, 0); err == nil && text != "" && !day.After(time.Now()) {
		err = fmt.Errorf("day %s: %w; give a later one", text, publish.ErrOver)
	}
	return day, err
}

// parse parses the entries of the form. An entry without an attribute of its own gets the form's attribute.
func (f changeForm) parse() (lines []string, entries []blocklist.Entry, err error) {
	rest := blocklist.Attributes{Category: f.Category, Reference: f.Reference}
	if rest.Expires, err = dayOf(f.Expires, 0); err != nil {
		return nil, nil, &fieldError{"expires", err}
	}
	if rest.Review, err = dayToCome(f.Review); err != nil {
		return nil, nil, &fieldError{"review", err}
	}
	var wrong linesError
	for line := range strings.Lines(f.Entries) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		e, err := proposal.ParseTarget(line)
		if err == nil && f.Verb == "add" {
			e.Attributes, e.Monitor = e.Or(rest), e.Monitor || f.Monitor
			e, err = blocklist.ParseEntry(e.String()) // the attributes must be readable as a line, too
		}
		if err != nil {
			if wrong.Errs = append(wrong.Errs, err); len(wrong.Errs) > maxWrong {
				break
			}
			continue
		}
		if lines, entries = append(lines, line), append(entries, e); len(entries) > maxEntries {
			return nil, nil, fmt.Errorf("%w: a form has at most %d entries; blocklist import takes any number", blocklist.ErrTooLarge, maxEntries)
		}
	}
	if len(wrong.Errs) > 0 {
		return nil, nil, &wrong
	}
	return lines, entries, nil
}
