package desk

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/blocklist/publish"
)

// urgentPage has the urgent orders in force, the orders that wait for a signature, and the form for new ones.
type urgentPage struct {
	publish.UrgentList
	changePage
	Waiting *publish.Pending
	Ordered []blocklist.Entry // the entries in Waiting
	Stamp   string            // identifies the state that the form shows, see [visit.urgentStamp]
	For     string            // number of hours, as it was typed
	Tries   []blocklist.Entry // the orders of the form, as they would be signed
	Now     time.Time
	Push    push
	Ends    *endingOrders // urgent orders that the next release would end; nil: none

	Refusals  []publish.Refusal
	Published *publishedOrders // orders that the person has just pushed; nil: none
}

// Counts reports whether the urgent orders of the form were tried without a problem, so that they can be prepared for
// signing.
func (p urgentPage) Counts() bool { return p.Tried && p.Problem == nil && p.Held == nil }

// Lasts returns how long an order of the form lasts, to the minute.
func (p urgentPage) Lasts(e blocklist.Entry) time.Duration {
	return e.Expires.Sub(p.Now).Round(time.Minute)
}

// IsForm reports whether the page has the form itself.
func (p urgentPage) IsForm() bool { return !p.Counts() }

func (v *visit) urgent() error {
	p, err := v.urgentPage()
	if err != nil {
		return err
	}
	status := http.StatusOK
	d := v.draft()
	if pushed, ok := d.result.(publishedOrders); ok {
		p.Published = &pushed
	} else if d.fields != nil && !v.r.URL.Query().Has(editQuery) {
		if status, err = v.tryUrgent(&p); err != nil {
			return err
		}
	}
	if v.now.Root != nil {
		if p.Ends, err = v.endingWith(v.now.Pending); err != nil {
			return err
		}
	}
	p.Form.Required, p.Edit = needed(v.now.Rules), withQuery(v.r.URL, editQuery, "1")
	if err = v.write(status, "urgent", "urgent.title", p); err == nil {
		v.answer.lasts = clockFor
	}
	return err
}

func (v *visit) urgentPage() (p urgentPage, err error) {
	p.Now, p.Form, p.For = time.Now(), v.changeForm("add"), v.value("hours")
	p.Push, p.Refusals = v.pushing(true), v.now.refused(true)
	if v.now.Root == nil {
		return p, nil
	}
	if p.UrgentList, err = v.ledger.Urgent(v.r.Context()); err != nil {
		return p, err
	}
	if p.Waiting, p.Ordered, err = v.waitingOrders(); err == nil {
		p.Stamp, err = v.urgentStamp(p.Waiting)
	}
	return p, err
}

// waitingOrders returns the urgent orders that wait for a signature, and their entries. It returns nil if there are
// none.
func (v *visit) waitingOrders() (p *publish.Pending, entries []blocklist.Entry, err error) {
	p, err = v.ledger.PendingUrgent(v.r.Context())
	if errors.Is(err, publish.ErrNothingPending) {
		return nil, nil, nil
	}
	if err == nil {
		entries, err = ordersOf(p)
	}
	return p, entries, err
}

// ordersOf returns the entries of urgent orders that wait for a signature.
func ordersOf(p *publish.Pending) (entries []blocklist.Entry, err error) {
	for _, line := range p.Orders {
		e, err := blocklist.ParseEntry(line)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

func hasTarget(entries []blocklist.Entry, target string) bool {
	return slices.ContainsFunc(entries, func(e blocklist.Entry) bool { return e.Target() == target })
}

// urgentStamp returns a text that identifies the state of the list and of the urgent orders that wait for a signature.
func (v *visit) urgentStamp(waiting *publish.Pending) (stamp string, err error) {
	head, err := v.ledger.History().Head(v.r.Context())
	if err == nil && waiting != nil {
		stamp, err = waiting.ID()
	}
	return head.Hash + stamp, err
}

// tryUrgent tries the urgent orders of the form, and fills in the result. It returns the HTTP status of the page.
func (v *visit) tryUrgent(p *urgentPage) (int, error) {
	change, by, err := v.urgentChange(p.Hours)
	var tried *publish.Pending
	if err == nil {
		tried, err = v.ledger.TryUrgent(v.r.Context(), change, by)
	}
	p.Tried = true
	if held := (*guard.HeldError)(nil); errors.As(err, &held) {
		p.Held, err = held.Report, nil
	}
	if err == nil {
		err = p.look(v)
	}
	if p.Held != nil {
		for i, e := range p.Seen {
			other := func(f guard.Finding) bool { return f.Entry != e.Target() }
			p.Seen[i].Held = slices.DeleteFunc(slices.Clone(p.Held.Findings), other)
		}
	}
	if err == nil && tried != nil {
		p.Tries, err = ordersOf(tried)
		p.Tries = slices.DeleteFunc(p.Tries, func(e blocklist.Entry) bool { return !hasTarget(change.Add, e.Target()) })
	}
	status := http.StatusOK
	if err != nil || p.Held != nil {
		status = http.StatusUnprocessableEntity
	}
	if err != nil {
		if status = failureOf(err).status; status == http.StatusInternalServerError {
			return status, err
		}
		p.Problem, p.Form.Bad = err, fieldOf(err)
	}
	return status, nil
}

// hoursPattern matches a number of hours as people write it, with a comma or a point. A leading zero is not read: “05”
// may be a “0,5” of which a browser has dropped the comma.
var hoursPattern = regexp.MustCompile(`^(0|[1-9]\d?)([.,]\d{1,3})?$`)

// parseHours parses the duration of urgent orders. It fails for a text that is no number of hours from one minute to
// most hours.
func parseHours(text string, most int) (time.Duration, error) {
	n, err := strconv.ParseFloat(strings.Replace(text, ",", ".", 1), 64)
	lasts := time.Duration(n * float64(time.Hour))
	if !hoursPattern.MatchString(text) || err != nil || lasts < time.Minute || n > float64(most) {
		return 0, &fieldError{"hours", &hoursError{text, most}}
	}
	return lasts, nil
}

// urgentChange returns the change of urgent orders that the form asks for, with its author and reason. The orders last
// at most that many hours.
func (v *visit) urgentChange(most int) (change publish.UrgentChange, by publish.Audit, err error) {
	f := v.changeForm("add")
	by = publish.Audit{Author: v.person.Name, Reason: f.Reason, Reference: f.Reference}
	if _, change.Add, err = f.parse(); err != nil {
		return change, by, err
	}
	hours := v.value("hours")
	if hours == "" {
		return change, by, nil
	}
	lasts, err := parseHours(hours, most)
	if err != nil {
		return change, by, err
	}
	for i := range change.Add {
		if e := &change.Add[i]; e.Expires.IsZero() {
			e.Expires = time.Now().UTC().Truncate(time.Second).Add(lasts)
		}
	}
	return change, by, nil
}

// askUrgent prepares the urgent orders of a sent form, which then wait for one officer's signature. If the person has
// not seen the result for the present state of the list yet, askUrgent shows that first.
func (v *visit) askUrgent() error {
	if err := parseForm(v.r); err != nil {
		return err
	}
	p, err := v.urgentPage()
	if err != nil {
		return err
	}
	if p.Stamp == "" || v.r.PostForm.Get("seen") != p.Stamp {
		return v.leadTo("/urgent", notice{}, nil)
	}
	change, by, err := v.urgentChange(p.Hours)
	if err == nil {
		_, err = v.ledger.PrepareUrgent(v.r.Context(), change, by)
	}
	return v.then(err, "/urgent?"+doneQuery+"=/urgent")
}

// cancelUrgent drops the urgent orders that wait for a signature. It fails if these are not the ones that the form
// names.
func (v *visit) cancelUrgent() error {
	p, err := v.ledger.PendingUrgent(v.r.Context())
	if err != nil {
		return err
	}
	if id, err := p.ID(); err != nil || id != v.r.FormValue("id") {
		return errors.Join(publish.ErrMoved, err)
	}
	by := publish.Audit{Author: v.person.Name, Reason: v.value("reason")}
	return v.then(v.ledger.CancelUrgent(v.r.Context(), p, by), "/urgent")
}

// Stopped returns the signed urgent orders that would be withdrawn by the request that waits for a signature.
func (p urgentPage) Stopped() []blocklist.Entry {
	if p.Waiting == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(p.UrgentList.Entries), func(e blocklist.Entry) bool {
		return hasTarget(p.Ordered, e.Target())
	})
}

// WaitingID returns the ID of the urgent orders that wait for a signature.
func (p urgentPage) WaitingID() (string, error) { return p.Waiting.ID() }

// pushUrgent pushes the signed urgent orders to the origin.
func (v *visit) pushUrgent() error {
	if v.Desk.Push == nil {
		return errNoPage
	}
	pushed, err := v.ledger.PushUrgent(v.r.Context(), v.Desk.Push, publish.Audit{Author: v.person.Name, Reason: v.PushTo})
	if err != nil {
		return err
	}
	return v.leadTo("/urgent", notice{}, publishedOrders{pushed.Number, pushed.Serial})
}

// publishedOrders are the urgent orders that the person has just pushed.
type publishedOrders struct {
	Number int64
	Serial uint64
}

// urgentOrder is an urgent order that a search has found.
type urgentOrder struct {
	blocklist.Entry
	State string // key of the text that says whether it is in force
}

// findUrgent fills in the urgent orders whose target or reference contains the text: in force, signed, or waiting for a
// signature.
func (p *searchPage) findUrgent(v *visit) error {
	u, err := v.urgentPage()
	if errors.Is(err, blocklist.ErrDamaged) {
		return nil // the first page says so
	}
	if err != nil {
		return err
	}
	state := "urgent.state.inforce"
	if !u.Pushed {
		state = "urgent.state.signed"
	}
	seen, typed := map[string]bool{}, strings.ToLower(p.Text)
	contains := func(e blocklist.Entry) bool {
		target, part := strings.ToLower(e.Target()), partOf(p.Text)
		return strings.Contains(target+" "+strings.ToLower(e.Reference), typed) ||
			part != "" && strings.Contains(target, part)
	}
	add := func(all []blocklist.Entry, state string) {
		for _, e := range all {
			if target := e.Target(); !seen[target] && contains(e) {
				seen[target] = true
				p.Urgent = append(p.Urgent, urgentOrder{e, state})
			}
		}
	}
	add(u.UrgentList.Entries, state)
	add(u.Ordered, "urgent.state.waiting")
	return nil
}
