package desk

import (
	"errors"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/blocklist/publish"
)

// pendingPage is the page of the pending root or release, with all that an officer must know about it.
type pendingPage struct {
	*publish.Pending
	Officers   []officer
	Before     []officer // for a root: the officers of the previous root
	Review     *review
	Recipients publish.Recipients
	Unreleased bool     // whether the list has changed since the pending release was made
	Changes    *changes // changes of the list that are in no release yet
	Unsigned   []string // officers who have not signed yet; empty unless the person has signed and signatures are missing
	Held       *guard.Report
	Ends       *endingOrders // urgent orders that end with the release; nil: none
	Reviewers  []string      // people who can make and push a release
	Push       push
	Refusals   []publish.Refusal
	Refused    error // why the release could not be made or pushed just now; nil: it could, or no one tried
	Damaged    error // why the pending root or release can't be read; nil: it can
}

// push says how a signed release, or signed urgent orders, can be pushed to the origin.
type push struct {
	Possible  bool // whether the desk itself can push, see [Options.Push]
	May       bool // whether the person has the right to push
	To        string
	Reviewers []string // people who have the right to push
	At        string   // path of the form
	Command   string   // command of the program blocklist that pushes
	// Later is the number of lines of the ledger that a release lacks, since they were added or removed after it was made.
	// It is 0 for urgent orders.
	Later uint64
}

func (v *visit) pushing(urgent bool) push {
	p := push{v.Desk.Push != nil, v.person.may(decide), v.PushTo, v.peopleWho(decide), "/push", "push", v.now.unprepared()}
	if urgent {
		p.At, p.Command, p.Later = "/urgent/push", "urgent push", 0
	}
	return p
}

// officer is an officer of the list, and whether they have signed the pending document.
type officer struct {
	Name   string
	Signed bool
}

func (v *visit) pending() error {
	p, err := v.pendingPage()
	if err != nil {
		return err
	}
	return v.show("pending", "pending.title", p)
}

func (v *visit) pendingPage() (p pendingPage, err error) {
	p.Push, p.Reviewers, p.Refusals = v.pushing(false), v.peopleWho(decide), v.now.refused(false)
	p.Unreleased = v.now.Root != nil && v.now.unprepared() > 0
	part := (*publish.PartError)(nil)
	p.Pending, err = v.ledger.Pending()
	switch {
	case errors.Is(err, publish.ErrNothingPending):
		err = nil
	case errors.As(err, &part):
		p.Damaged, err = part, nil
	case err != nil:
		return p, err
	default:
		p.Officers = officers(&p.Pending.Signatures)
		if v.person.Signed && missing(p.Pending) > 0 {
			p.Unsigned = unsigned(p.Pending)
		}
		if p.Pending.Before != nil {
			p.Before = officers(p.Pending.Before)
		}
		if p.IsRelease() {
			p.Review, err = v.review(p.Pending)
		}
	}
	if err == nil && v.now.Root != nil {
		p.Ends, err = v.endingWith(p.Pending)
	}
	if err != nil || !p.Unreleased {
		return p, err
	}
	p.Changes, err = v.unpreparedChanges()
	return p, err
}

func officers(s *publish.Signatures) (all []officer) {
	for _, name := range s.Officers {
		all = append(all, officer{name, slices.Contains(s.Signed, name)})
	}
	return all
}

// release makes the next release. If the form has a reason, the guards are overridden. If the guards hold the release,
// the page shows their findings.
func (v *visit) release() error {
	by := publish.Audit{Author: v.person.Name, Reason: strings.TrimSpace(v.r.FormValue("override"))}
	if by.Reason != "" {
		if _, err := v.ledger.Override(v.r.Context(), by); err != nil {
			return err
		}
	}
	_, _, err := v.ledger.Release(v.r.Context(), v.person.Name)
	return v.thenUnlessHeld(err, "/pending")
}

// thenUnlessHeld redirects to a page if err is nil. If a release is held, by the guards or because urgent orders would
// end, it shows the page of the pending release with the reason.
func (v *visit) thenUnlessHeld(err error, path string) error {
	held := (*guard.HeldError)(nil)
	if !errors.As(err, &held) && !errors.Is(err, publish.ErrEnds) {
		return v.then(err, path)
	}
	p, pageErr := v.pendingPage()
	if pageErr != nil {
		return pageErr
	}
	if held != nil {
		p.Held = held.Report
	} else {
		p.Refused = err
	}
	return v.write(failureOf(err).status, "pending", "pending.title", p)
}

// published is the result of a push: the serial of the pushed release.
type published uint64

// push pushes the signed release to the origin.
func (v *visit) push() error {
	if v.Push == nil {
		return errNoPage
	}
	pushed, err := v.ledger.Push(v.r.Context(), v.Push, publish.Audit{Author: v.person.Name, Reason: v.PushTo})
	if err != nil {
		return v.thenUnlessHeld(err, "/")
	}
	return v.leadTo("/", notice{}, published(pushed.Serial))
}

// then redirects to a page if err is nil, and otherwise returns err.
func (v *visit) then(err error, path string) error {
	if err != nil {
		return err
	}
	return v.redirect(path, nil)
}
