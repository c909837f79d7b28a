package takedown

import (
	"context"
	"iter"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/publish"
)

// Referral is a listed page, as an agency refers it to the platform that can take it down.
type Referral struct {
	Platform  string    `json:"platform"`
	URL       string    `json:"url"`    // the target of the entry
	Covers    string    `json:"covers"` // the pages that the target matches, in words
	Category  string    `json:"category,omitempty"`
	Reference string    `json:"reference,omitempty"` // of the entry, else of the operation
	Reason    string    `json:"reason,omitempty"`    // of the operation that listed it
	Listed    time.Time `json:"listed"`              // date in the entry, else time of the listing operation
	Expires   time.Time `json:"expires,omitzero"`
	State     string    `json:"state"` // open, removed or returned
	Since     time.Time `json:"since"` // time of the listing, or of the first check with this result
	LastCheck time.Time `json:"last_check,omitzero"`
}

// States of a referred page, by the checks recorded since it was listed.
const (
	StateOpen     = "open"     // not checked, or still there
	StateRemoved  = "removed"  // gone at the last check
	StateReturned = "returned" // back after a check found it gone
)

// Referrals yields the unexpired url entries of a ledger, in the order of their targets, each with its reason,
// reference and state. It includes entries with status=monitor: a platform should take down such a page even though
// resolvers don't block it. The last value may be an error.
func Referrals(ctx context.Context, l *publish.Ledger, p Platforms) iter.Seq2[Referral, error] {
	return func(yield func(Referral, error) bool) {
		err := l.History().Read(ctx, func(view ledger.View) error {
			return (&referrals{platforms: p, now: time.Now()}).each(ctx, view, yield)
		})
		if err != nil {
			yield(Referral{}, err)
		}
	}
}

// referrals reads pages and checks in parallel, both sorted by target, so that only one page is in memory.
type referrals struct {
	platforms Platforms
	now       time.Time
	checks    func() (ledger.Check, error, bool)
	check     ledger.Check // the next one
}

func (r *referrals) each(ctx context.Context, view ledger.View, yield func(Referral, error) bool) error {
	var stop func()
	r.checks, stop = iter.Pull2(view.Checks(ctx))
	defer stop()
	if err := r.nextCheck(); err != nil {
		return err
	}
	for page, err := range view.Pages(ctx) {
		if err != nil {
			return err
		}
		if e := page.Entry; !e.Expires.IsZero() && !e.Expires.After(r.now) {
			continue
		}
		referral, err := r.of(page)
		if err != nil {
			return err
		}
		if !yield(referral, nil) {
			return nil
		}
	}
	return nil
}

// of returns the referral of a page.
func (r *referrals) of(page ledger.Page) (Referral, error) {
	e := page.Entry
	out := Referral{
		Platform: r.platforms.Of(e), URL: e.Target(), Covers: covers(e), Category: e.Category, Reference: e.Reference,
		Reason: page.Came.StatedReason(), Listed: e.Added, Expires: e.Expires, State: StateOpen,
	}
	if out.Reference == "" {
		out.Reference = page.Came.Reference
	}
	if out.Listed.IsZero() {
		out.Listed = page.Came.Time
	}
	out.Since = out.Listed
	return out, r.addChecks(&out, page.Came.ID)
}

// covers describes in words which pages a url entry matches.
func covers(e blocklist.Entry) string {
	text := "the page"
	switch key := e.Key(); {
	case strings.HasSuffix(key, "#any-order"):
		text += " with these parameters, in any order"
	case strings.Contains(key, "?"):
		text += " with this query"
	case strings.HasSuffix(key, "/*"):
		text += " and everything below it"
	}
	if strings.HasPrefix(e.Key(), "*.") {
		text += ", on this host and its subdomains"
	}
	return text
}

// addChecks applies the checks of a page that are newer than the operation that listed it.
func (r *referrals) addChecks(page *Referral, came int64) error {
	for r.check.Target != "" && r.check.Target <= page.URL {
		if r.check.Target == page.URL && r.check.Operation > came {
			page.update(r.check)
		}
		if err := r.nextCheck(); err != nil {
			return err
		}
	}
	return nil
}

func (r *referrals) nextCheck() (err error) {
	r.check, err, _ = r.checks()
	return err
}

// update applies one check. The checks of a page arrive in the order of their times.
func (p *Referral) update(c ledger.Check) {
	p.LastCheck = c.Checked
	state := p.State
	switch {
	case c.Removed:
		state = StateRemoved
	case p.State == StateRemoved:
		state = StateReturned
	}
	if state != p.State {
		p.State, p.Since = state, c.Checked
	}
}
