package desk

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/blocklist/publish"
)

// pendingPage is what waits for signatures, in full.
type pendingPage struct {
	*publish.Pending
	Officers   []officer
	Before     []officer // of a root: those of the root before
	Review     *review
	Recipients publish.Recipients
	Unreleased bool     // the list has changed since
	Changes    *changes // these changes
	Held       *guard.Report
	Code       *code // a code that was just made
	CanPush    bool
	PushTo     string
	Damaged    string // why what is pending can't be read
}

// officer is one who may sign, and whether they have.
type officer struct {
	Name   string
	Signed bool
}

// changes are the first changes of a list, and how many there are.
type changes struct {
	First          []string // lines with their sign
	Added, Removed uint64
}

// More returns how many changes are not among the first.
func (c changes) More() uint64 { return c.Added + c.Removed - uint64(len(c.First)) }

// review is what the signatures on a release cover.
type review struct {
	Operations []publish.Operation // the first ones
	More       uint64              // how many others there are
	Changes    changes
	Problem    string // why an officer must not sign it
}

// shownChanges is how many changes and operations of a release the page has. The others are in the request.
const shownChanges = 500

func (v *visit) pending() error {
	p, err := v.pendingPage()
	if err != nil {
		return err
	}
	return v.show("pending", "pending.title", p)
}

func (v *visit) pendingPage() (p pendingPage, err error) {
	p.CanPush, p.PushTo = v.Push != nil, v.PushTo
	p.Unreleased = v.now.Root != nil && v.unreleased()
	part := (*publish.PartError)(nil)
	p.Pending, err = v.ledger.Pending()
	switch {
	case errors.Is(err, publish.ErrNothingPending):
		err = nil
	case errors.As(err, &part):
		p.Damaged, err = part.Error(), nil
	case err != nil:
		return p, err
	default:
		p.Officers = officers(&p.Pending.Signatures)
		if p.Pending.Before != nil {
			p.Before = officers(p.Pending.Before)
		}
		if p.IsRelease() {
			p.Review, err = v.review(p.Pending)
		}
	}
	if err != nil || !p.Unreleased {
		return p, err
	}
	p.Changes, err = v.unreleasedChanges()
	return p, err
}

func officers(s *publish.Signatures) (all []officer) {
	for _, name := range s.Officers {
		all = append(all, officer{name, slices.Contains(s.Signed, name)})
	}
	return all
}

// stamp names the present state of the list and of what is pending.
func (v *visit) stamp() string { return v.now.Head.Hash + v.folders() }

// review reads what a release's signatures cover, once for each state.
func (v *visit) review(p *publish.Pending) (*review, error) {
	return v.reviews.get(v.r.Context(), v.stamp(), func(ctx context.Context) (*review, error) {
		r := &review{}
		for o, err := range v.ledger.PendingOperations(ctx, p) {
			if err != nil {
				r.Problem = err.Error()
				break
			}
			if len(r.Operations) < shownChanges {
				r.Operations = append(r.Operations, o)
			} else {
				r.More++
			}
		}
		err := r.Changes.fill(v.ledger.Review(p))
		if err != nil && ctx.Err() == nil {
			r.Problem, err = err.Error(), nil
		}
		return r, err
	})
}

// unreleasedChanges reads what the next release would change, once for each state.
func (v *visit) unreleasedChanges() (*changes, error) {
	return v.unsigned.get(v.r.Context(), v.stamp(), func(ctx context.Context) (*changes, error) {
		c := &changes{}
		return c, c.fill(v.ledger.Unreleased(ctx))
	})
}

func (c *changes) fill(all iter.Seq2[blocklist.Change, error]) error {
	for change, err := range all {
		if err != nil {
			return err
		}
		sign := "+"
		if c.Added++; change.Removed {
			c.Added--
			c.Removed++
			sign = "−"
		}
		if len(c.First) < shownChanges {
			c.First = append(c.First, sign+change.Entry.String())
		}
	}
	return nil
}

// release makes the next release. If the guards hold it, it shows what they say; with a reason, they are overridden.
func (v *visit) release() error {
	by := publish.Audit{Author: v.person.Name, Reason: strings.TrimSpace(v.r.FormValue("override"))}
	if by.Reason != "" {
		if _, err := v.ledger.Override(v.r.Context(), by); err != nil {
			return err
		}
	}
	_, _, err := v.ledger.Release(v.r.Context(), v.person.Name)
	held := (*guard.HeldError)(nil)
	if !errors.As(err, &held) {
		return v.then(err, "/pending")
	}
	p, err := v.pendingPage()
	if err != nil {
		return err
	}
	p.Held = held.Report
	return v.write(failureOf(held).status, "pending", "pending.title", p)
}

// push brings the signed release to the origin.
func (v *visit) push() error {
	if v.Push == nil {
		return errNoPage
	}
	_, err := v.ledger.Push(v.r.Context(), v.Push, publish.Audit{Author: v.person.Name, Reason: v.PushTo})
	return v.then(err, "/")
}

// then leads to a page unless there is an error.
func (v *visit) then(err error, path string) error {
	if err != nil {
		return err
	}
	return v.redirect(path, nil)
}
