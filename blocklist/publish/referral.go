package publish

import (
	"context"
	"database/sql"
	"errors"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
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

// Referrals yields the url entries that have not expired, in the order of their targets, with what the ledger knows of
// each. Entries with status=monitor are among them: nobody has to block what a platform is to take down. The last thing it
// yields may be an error.
func (l *Ledger) Referrals(ctx context.Context, p Platforms) iter.Seq2[Referral, error] {
	return func(yield func(Referral, error) bool) {
		tx, err := l.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
		if err == nil {
			defer tx.Rollback() //nolint:errcheck // it was only read
			err = (&referrals{ctx: ctx, tx: tx, platforms: p, now: time.Now()}).each(yield)
		}
		if err != nil {
			yield(Referral{}, err)
		}
	}
}

// urlTargets are all targets of url entries and no others: a canonical name holds no colon.
const urlTargets = `target >= 'https://' AND target < 'https:/0'`

// referrals reads them. History, checks and operations are walked beside one another, so that no more than a page is in memory.
type referrals struct {
	ctx       context.Context // of one call
	tx        *sql.Tx
	platforms Platforms
	now       time.Time
	ends      []ending
	checks    func() (checkRow, error, bool)
	check     checkRow // the next one
	operation Operation
}

// ending says up to which change an operation goes.
type ending struct{ operation, change int64 }

// listing is what became of a target.
type listing struct {
	target, attributes string
	listed             bool
	began, ended       int64 // the operations by which it came, and went last
}

func (r *referrals) each(yield func(Referral, error) bool) error {
	var found int
	err := r.tx.QueryRowContext(r.ctx, `SELECT 1 FROM entries WHERE `+urlTargets+` LIMIT 1`).Scan(&found)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // lists of names have a history that need not be read for this
	}
	if err != nil {
		return err
	}
	for end, err := range query(r.ctx, r.tx, scanEnding, `SELECT id, last_change FROM operations ORDER BY id`) {
		if err != nil {
			return err
		}
		r.ends = append(r.ends, end)
	}
	var stop func()
	r.checks, stop = iter.Pull2(pageChecks(r.ctx, r.tx))
	defer stop()
	if err := r.nextCheck(); err != nil {
		return err
	}
	return r.walk(yield)
}

func scanEnding(rows *sql.Rows) (e ending, err error) { return e, rows.Scan(&e.operation, &e.change) }

// walk goes through the history of all pages, one after the other.
func (r *referrals) walk(yield func(Referral, error) bool) error {
	var at listing
	for c, err := range query(r.ctx, r.tx, scanChangeRow, `SELECT id, sign, target, attributes FROM changes WHERE `+urlTargets+` ORDER BY target, id`) {
		if err != nil {
			return err
		}
		if c.target != at.target {
			if more, err := r.give(at, yield); !more || err != nil {
				return err
			}
			at = listing{target: c.target}
		}
		at.change(c, r.operationOf(c.id))
	}
	_, err := r.give(at, yield)
	return err
}

// change follows one change. Other attributes are a line that goes and one that comes in the same operation: it stays listed.
func (l *listing) change(c changeRow, operation int64) {
	l.listed, l.attributes = c.sign == "+", c.attributes
	switch {
	case !l.listed:
		l.ended = operation
	case l.ended != operation:
		l.began = operation
	}
}

// operationOf returns the operation that made a change.
func (r *referrals) operationOf(change int64) int64 {
	i, _ := slices.BinarySearchFunc(r.ends, change, func(e ending, c int64) int { return int(e.change - c) })
	if i == len(r.ends) {
		return 0
	}
	return r.ends[i].operation
}

// give yields a page if it is listed.
func (r *referrals) give(at listing, yield func(Referral, error) bool) (more bool, err error) {
	if !at.listed {
		return true, nil
	}
	e, err := readEntry(at.target, at.attributes)
	if err != nil {
		return false, err
	}
	if !e.Expires.IsZero() && !e.Expires.After(r.now) {
		return true, nil
	}
	referral, err := r.of(e, at.began)
	return err == nil && yield(referral, nil), err
}

// of returns the referral of an entry that is listed since an operation.
func (r *referrals) of(e blocklist.Entry, began int64) (Referral, error) {
	if r.operation.ID != began {
		var err error
		r.operation, err = scanOperation(r.tx.QueryRowContext(r.ctx, `SELECT `+operationColumns+` FROM operations WHERE id = ?`, began))
		if err != nil {
			return Referral{}, damaged("entry %.80q came by no operation: %v", e.Target(), err)
		}
	}
	out := Referral{
		Platform: r.platforms.Of(e), URL: e.Target(), Covers: covers(e), Category: e.Category, Reference: e.Reference,
		Reason: withoutOverride(r.operation.Reason), Listed: e.Added, Expires: e.Expires, State: StateOpen,
	}
	if out.Reference == "" {
		out.Reference = r.operation.Reference
	}
	if out.Listed.IsZero() {
		out.Listed = r.operation.Time
	}
	out.Since = out.Listed
	return out, r.checked(&out, began)
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

// checked takes the checks of a page since an operation.
func (r *referrals) checked(page *Referral, began int64) error {
	for r.check.target != "" && r.check.target <= page.URL {
		if r.check.target == page.URL && r.check.operation > began {
			page.take(r.check)
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

// take follows one check; they come in the order of their times.
func (p *Referral) take(c checkRow) {
	p.LastCheck = c.checked
	state := p.State
	switch {
	case c.removed:
		state = StateRemoved
	case p.State == StateRemoved:
		state = StateReturned
	}
	if state != p.State {
		p.State, p.Since = state, c.checked
	}
}
