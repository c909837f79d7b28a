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

// Referral is a listed page as an agency refers it to the platform that can take it down.
type Referral struct {
	Platform  string    `json:"platform"`
	URL       string    `json:"url"`    // the target of the entry
	Covers    string    `json:"covers"` // what the target stands for, in words
	Category  string    `json:"category,omitempty"`
	Reference string    `json:"reference,omitempty"` // of the entry; if it has none, of the operation
	Reason    string    `json:"reason,omitempty"`    // of the operation that listed it
	Listed    time.Time `json:"listed"`              // since when: what the entry says, else when it came into the ledger
	Expires   time.Time `json:"expires,omitzero"`
	State     string    `json:"state"` // open, removed or returned
	Since     time.Time `json:"since"` // when it was listed, or the check that first found it like this
	LastCheck time.Time `json:"last_check,omitzero"`
}

// States of a page that was referred, by the checks that are recorded since it is listed.
const (
	StateOpen     = "open"     // not checked, or still there
	StateRemoved  = "removed"  // gone at the last check
	StateReturned = "returned" // there again after it was gone
)

// Referrals yields the url entries of a ledger that have not expired, in the order of their targets, with what the
// ledger knows of each. Entries with status=monitor are among them: a platform is to take down what no resolver has to
// block. The last thing it yields may be an error.
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

// referrals reads pages and checks beside one another, so that no more than a page is in memory.
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

// covers says what the target of a url entry stands for.
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

// addChecks follows the checks of a page since the operation that listed it.
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

// update follows one check; they come in the order of their times.
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
