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

// Referral is a listed page with the data that an agency sends to the platform that can take the page down.
type Referral struct {
	Platform  string `json:"platform"`
	URL       string `json:"url"`    // target of the entry
	Covers    string `json:"covers"` // which pages the target matches, in words
	Category  string `json:"category,omitempty"`
	Reference string `json:"reference,omitempty"` // reference of the entry, or else of the operation that listed it
	Reason    string `json:"reason,omitempty"`    // reason of the operation that listed the entry
	// Listed is the date in the entry, or else the time of the operation that listed the entry.
	Listed  time.Time `json:"listed"`
	Expires time.Time `json:"expires,omitzero"`
	State   string    `json:"state"` // StateOpen, StateRemoved or StateReturned
	// Since is when the state began: the time of the listing, or of the first check with this result.
	Since     time.Time `json:"since"`
	LastCheck time.Time `json:"last_check,omitzero"`
}

// States of a referred page, by the checks recorded since it was listed.
const (
	StateOpen     = "open"     // the page was not checked since it was listed, or was never gone
	StateRemoved  = "removed"  // the page was gone at the last check
	StateReturned = "returned" // a check found the page gone, but the last check found it online again
)

// Referrals yields a referral for each url entry that has not expired, in the order of targets. This includes entries
// with status=monitor: a platform should take such a page down, even though resolvers don't block it. The last value
// may be an error.
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

// referrals merges pages with their checks. It reads both in the order of targets, so that only one page is in memory.
type referrals struct {
	platforms Platforms
	now       time.Time
	checks    func() (ledger.Check, error, bool)
	check     ledger.Check // the next check to be applied; its Target is empty at the end
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

// of returns the referral of a page, with the checks of that page applied.
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

// addChecks applies the checks of the page that were recorded after the operation that listed it. Came is the number of
// that operation.
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

// update applies one check to the state of the page. The checks of a page must come in the order of their times.
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
