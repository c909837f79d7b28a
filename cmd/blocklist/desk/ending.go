package desk

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/blocklist/publish"
)

// endingPage has the form for a decision on urgent orders: to add their targets to the list (keep), to accept that the
// orders end with the next release (end), or to withdraw the orders without waiting for a release (remove). It also
// shows what the decision would do.
type endingPage struct {
	Verb     string // keep, end or remove
	Orders   []endingOrder
	Proposed []endingOrder // for keep: orders whose targets can only be listed by a proposal
	Form     changeForm
	Expires  time.Time            // for keep: expiry of the entries in the list; zero: none
	Result   publish.ChangeResult // for keep: result of trying the decision
	Held     *guard.Report        // report of the guards that hold the targets; nil: they do not
	Problem  error                // why the decision can't be taken; nil: it can
	Notice   string               // key of a text about the sent form; empty: none
	Joins    *publish.Pending     // for remove: the request that waits already, which the withdrawal joins; nil: none
	Stamp    string               // result of [visit.urgentStamp]; for keep followed by the typed expiry
}

// endingOrder is an urgent order that ends, with what the list says about its target.
type endingOrder struct {
	publish.EndingOrder
	Around around
	Chosen bool
}

// IsListed reports whether the ledger lists the target, too: the next release will block it without the order. Whether
// the release in force blocks it already is in the field Released.
func (o endingOrder) IsListed() bool {
	blocks := func(e blocklist.Entry) bool { return !e.Monitor }
	return o.Around.Cover != "" || slices.ContainsFunc(o.Around.Orders, blocks)
}

// Shown returns a copy of the order whose entry for the list has the given expiry.
func (o endingOrder) Shown(expires time.Time) endingOrder {
	o.Kept.Expires = expires
	return o
}

// Expiring returns the standing order that would still expire if the list got the target with this expiry, see
// [seenEntry.Expiring]. It returns nil if there is none.
func (o endingOrder) Expiring(expires time.Time) *blocklist.Entry {
	return seenEntry{Entry: o.Shown(expires).Kept, Around: o.Around}.Expiring()
}

// IsShorter reports whether an entry with this expiry ends no later than the order.
func (o endingOrder) IsShorter(expires time.Time) bool {
	return !expires.IsZero() && !expires.After(o.Expires)
}

// ProposeURL returns the URL of the form for new proposals, filled in with the target of the order.
func (o endingOrder) ProposeURL() string {
	q := url.Values{"entries": {o.Target()}, "category": {o.Category}, "reference": {o.Reference}, "source": {o.Ordered.Author}}
	return "/propose?" + q.Encode()
}

// Cause returns who asked for the order, and why, without the texts that name all orders of the urgent document.
func (o endingOrder) Cause() publish.Cause {
	c := publish.CauseOf(o.Ordered)
	c.Said = slices.DeleteFunc(c.Said, func(m publish.Message) bool { return m.Key != "said.asked" })
	return c
}

// IsForm reports whether the page has the form for the decision.
func (p endingPage) IsForm() bool { return len(p.Orders) > 0 }

// chosen returns the targets of the orders that the person has chosen.
func (p endingPage) chosen() (targets []string) {
	for _, o := range p.Orders {
		if o.Chosen {
			targets = append(targets, o.Target())
		}
	}
	return targets
}

func (v *visit) keepForm() error   { return v.showEnding("keep") }
func (v *visit) endForm() error    { return v.showEnding("end") }
func (v *visit) removeForm() error { return v.showEnding("remove") }

func (v *visit) showEnding(verb string) error {
	p, err := v.endingPage(verb)
	if err == nil && verb == "keep" && len(p.chosen()) > 0 && p.Problem == nil {
		err = p.try(v)
	}
	if err != nil {
		return err
	}
	status := http.StatusOK
	switch sent := v.draft().fields; {
	case sent == nil:
	case p.Problem != nil:
		status = http.StatusBadRequest
	case isOtherExpiry(sent.Get("seen"), p.Stamp):
		p.Notice = "ends.until.new"
	case sent.Get("seen") != p.Stamp:
		p.Notice, status = "ends.moved", http.StatusConflict
	case len(p.chosen()) == 0:
		p.Notice, status = "propose.none", http.StatusBadRequest
	}
	return v.write(status, "ending", "ends."+verb+".title", p)
}

// endingPage returns the page for a decision (verb). The decision is not tried yet.
func (v *visit) endingPage(verb string) (p endingPage, err error) {
	p.Verb, p.Form = verb, v.changeForm(verb)
	if v.now.Root == nil {
		return p, nil
	}
	waiting, _, err := v.waitingOrders()
	if err == nil {
		p.Stamp, err = v.urgentStamp(waiting)
	}
	if err != nil {
		return p, err
	}
	if verb == "remove" {
		p.Joins = waiting
	}
	if verb == "keep" {
		p.Stamp += " " + p.Form.Expires
		if p.Expires, err = dayToCome(p.Form.Expires); err != nil {
			p.Problem, p.Form.Bad = err, "expires"
		}
	}
	orders, err := v.undecided(verb)
	if err != nil {
		return p, err
	}
	chosen, some := v.r.URL.Query()["entries"], verb == "remove"
	if sent := v.draft().fields; sent != nil {
		chosen, some = sent["entries"], true
	}
	for _, o := range orders {
		one := endingOrder{EndingOrder: o, Chosen: !some || slices.Contains(chosen, o.Target())}
		if one.Around, err = v.around(o.Entry); err != nil {
			return p, err
		}
		one.Around.Urgent = false // the page says so
		if verb == "keep" && v.now.Rules.OnlyProposed(o.Category) {
			p.Proposed = append(p.Proposed, one)
		} else {
			p.Orders = append(p.Orders, one)
		}
	}
	return p, nil
}

// isOtherExpiry reports whether two stamps of an [endingPage] differ only in the expiry: that of the page on which the
// person decided (seen), and that of the present page.
func isOtherExpiry(seen, stamp string) bool {
	was, until, _ := strings.Cut(seen, " ")
	is, now, _ := strings.Cut(stamp, " ")
	return was == is && until != now
}

// undecided returns the urgent orders that a decision can be made on. The argument verb names the decision: keep, end
// or remove.
func (v *visit) undecided(verb string) ([]publish.EndingOrder, error) {
	if verb == "remove" {
		return v.ledger.StandingUrgent(v.r.Context())
	}
	ends, err := v.endingWith(v.now.Pending)
	if ends == nil || err != nil {
		return nil, err
	}
	orders := ends.Orders
	if verb == "keep" {
		orders = ends.Next
	}
	return slices.DeleteFunc(orders, func(o publish.EndingOrder) bool { return o.Accepted }), nil
}

// try tries to add the chosen targets to the list, without recording it, and fills in the result.
func (p *endingPage) try(v *visit) (err error) {
	by := publish.Audit{Author: cmp.Or(v.person.Name, v.ledger.List()), Reason: p.Form.Reason}
	p.Result, err = v.ledger.Trial().KeepUrgentUntil(v.r.Context(), p.chosen(), p.Expires, by)
	if held := (*guard.HeldError)(nil); errors.As(err, &held) {
		p.Held, err = held.Report, nil
	}
	if err != nil && failureOf(err).status != http.StatusInternalServerError {
		p.Problem, err = err, nil
	}
	return err
}

// keepUrgent adds the chosen targets of ending urgent orders to the list, so that they stay blocked.
func (v *visit) keepUrgent() error {
	return v.decideEnding("keep", "/pending", func(targets []string, by publish.Audit) error {
		expires, err := dayToCome(v.value("expires"))
		if err == nil {
			_, err = v.ledger.After(v.now.Head.Hash).KeepUrgentUntil(v.r.Context(), targets, expires, by)
		}
		return err
	})
}

// endUrgent records that the end of the chosen urgent orders is accepted.
func (v *visit) endUrgent() error {
	return v.decideEnding("end", "/pending", func(targets []string, by publish.Audit) error {
		return v.ledger.EndUrgent(v.r.Context(), targets, by)
	})
}

// removeUrgent prepares the withdrawal of the chosen urgent orders, which then waits for one officer's signature.
func (v *visit) removeUrgent() error {
	return v.decideEnding("remove", "/urgent", func(targets []string, by publish.Audit) error {
		_, err := v.ledger.PrepareUrgent(v.r.Context(), publish.UrgentChange{Remove: targets}, by)
		return err
	})
}

// decideEnding calls the function action with the orders that a sent form names, and redirects to the given path. If
// the person has not yet seen what the decision would do in the present state of the list, decideEnding shows that
// first.
func (v *visit) decideEnding(verb, path string, action func(targets []string, by publish.Audit) error) error {
	if err := parseForm(v.r); err != nil {
		return err
	}
	page := "/urgent/" + verb
	p, err := v.endingPage(verb)
	if err != nil {
		return err
	}
	targets := v.r.PostForm["entries"]
	if p.Stamp == "" || v.r.PostForm.Get("seen") != p.Stamp || len(targets) == 0 || p.Problem != nil {
		return v.leadTo(page, notice{}, nil)
	}
	err = action(targets, publish.Audit{Author: v.person.Name, Reason: v.value("reason")})
	shown := func(reason error) bool { return errors.Is(err, reason) } // the page says why
	if slices.ContainsFunc([]error{publish.ErrMoved, publish.ErrRules, blocklist.ErrHeld}, shown) {
		return v.leadTo(page, notice{}, nil)
	}
	return v.then(err, path+"?"+doneQuery+"="+page)
}
