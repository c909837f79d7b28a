package proposal

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/publish"
)

// State is a verified state of another agency's list, for [Update].
type State struct {
	List    string
	Serial  uint64
	Digest  string
	Signers []string // names of the officers who have signed the state
	// Entries yields the entries of the list, in the order that a release has.
	Entries iter.Seq2[blocklist.Entry, error]
}

// Updated counts what an update did.
type Updated struct {
	Proposed uint64 `json:"proposed"` // all new proposals, including those counted in Withdraw and Changed
	Withdraw uint64 `json:"withdraw"` // new proposals to withdraw an entry whose proposal was confirmed
	Changed  uint64 `json:"changed"`  // new proposals for entries whose category, reference or expiry has changed
	// Withdrawn counts open proposals taken back, because the list no longer has the entry or states something else.
	Withdrawn uint64 `json:"withdrawn"`
	Known     uint64 `json:"known"` // unchanged entries that were proposed before
}

// Update turns a state of another agency's list into proposals, as one step. The step's reference has the list, serial,
// digest and signers. An entry that is new on that list is proposed, with its category, reference, expiry and review.
// If the list no longer has an entry, an open proposal for that entry is taken back; if it was confirmed, Update
// proposes to withdraw the entry.
//
// If the category, reference or expiry of an entry has changed on that list, the entry is proposed again, and an open
// proposal about it is taken back. Confirming gives an order as [publish.Ledger.Add] does: it changes the order with
// the same reference, or adds one with another reference. An entry whose proposal was refused is proposed again only if
// its category or reference has changed.
//
// Monitored and expired entries are ignored. Update needs memory for the changes, not for the whole list. If progress
// is not nil, it is called from time to time with the number of entries read.
func Update(ctx context.Context, l *publish.Ledger, s State, by publish.Audit,
	progress func(uint64),
) (u Updated, err error) {
	by.Reference = shortened(publish.CauseSource.With(s.List, s.Serial, s.Digest, strings.Join(s.Signers, ", ")).String())
	err = l.History().Propose(ctx, ledger.StepPropose, by, func(t *ledger.StepTx) error {
		// Reading on another connection sees the state before this step.
		next, stop := iter.Pull2(standings(l.History().ProposalsFrom(ctx, s.List)))
		defer stop()
		m := merge{State: s, t: t, next: next, result: &u}
		return m.run(ctx, progress)
	})
	if err != nil {
		return Updated{}, fmt.Errorf("updating %s: %w", s.List, err)
	}
	return u, nil
}

// shortened cuts a text to the maximum length of a step's reference.
func shortened(text string) string { return strings.ToValidUTF8(text[:min(len(text), 4000)], "") }

// standing has the latest proposals of one source about one target.
type standing struct {
	listing  Proposal // the last proposal to list the target; ID is 0 if there is none
	withdraw Proposal // the last proposal to withdraw the target, if it is later than listing; ID is 0 if there is none
	// listed is the confirmed proposal by which the target is listed. Its ID is 0 if there is none, or if the target was
	// delisted since.
	listed Proposal
}

func (s standing) target() string { return cmp.Or(s.listing.Target, s.withdraw.Target) }

// add adds the target's next proposal. Proposals must come in the order of IDs.
func (s *standing) add(p Proposal) {
	switch {
	case !p.Withdraw:
		s.listing, s.withdraw = p, Proposal{}
		if p.State == Listed {
			s.listed = p
		}
	case p.State == Delisted:
		s.withdraw, s.listed = p, Proposal{}
	default:
		s.withdraw = p
	}
}

// last returns the last proposal to list the target. If the source has taken that proposal back, last returns the
// proposal by which the target is listed. The ID is 0 if there is none, or if the target was delisted.
func (s standing) last() Proposal {
	if s.listing.State == Withdrawn || s.withdraw.State == Delisted {
		return s.listed
	}
	return s.listing
}

// standings yields the standing of each target. The proposals must be sorted by target.
func standings(all iter.Seq2[Proposal, error]) iter.Seq2[standing, error] {
	return func(yield func(standing, error) bool) {
		var at standing
		for p, err := range all {
			if err != nil {
				yield(at, err)
				return
			}
			if at.target() != "" && at.target() != p.Target {
				if !yield(at, nil) {
					return
				}
				at = standing{}
			}
			at.add(p)
		}
		if at.target() != "" {
			yield(at, nil)
		}
	}
}

// merge compares the entries of a list with the proposals of its source. It reads both in the order of targets, side by
// side.
type merge struct {
	State

	t      *ledger.StepTx
	next   func() (standing, error, bool)
	at     standing // proposals about the first target that the entries have not reached; zero: none are left
	result *Updated
}

func (m *merge) run(ctx context.Context, progress func(uint64)) error {
	if err := m.advance(); err != nil {
		return err
	}
	last, read := "", ledger.Counter{Show: progress}
	for e, err := range m.Entries {
		if err != nil {
			return err
		}
		read.Add()
		target := e.Target()
		if target <= last && last != "" {
			return fmt.Errorf("%w: its entries are not in the order of a release", blocklist.ErrMalformed)
		}
		last = target
		if e.Monitor || !e.Expires.IsZero() && !e.Expires.After(m.t.Now()) {
			continue
		}
		if err := m.passUntil(ctx, target); err != nil {
			return err
		}
		if m.at.target() == target {
			err = m.stays(ctx, e)
		} else {
			err = m.add(ctx, stated(e))
		}
		if err != nil {
			return err
		}
	}
	return m.passUntil(ctx, "")
}

// advance reads the proposals about the next target.
func (m *merge) advance() error {
	at, err, more := m.next()
	if m.at = at; !more {
		m.at = standing{}
	}
	return err
}

// passUntil handles the proposals about targets that sort before the given one: the list no longer has these targets.
// An empty target stands for the end of the list.
func (m *merge) passUntil(ctx context.Context, target string) error {
	for m.at.target() != "" && (target == "" || m.at.target() < target) {
		if err := m.gone(ctx, m.at); err != nil {
			return err
		}
		if err := m.advance(); err != nil {
			return err
		}
	}
	return nil
}

// gone handles a target that the list no longer has. It takes back an open proposal to list the target. If the
// target is listed by a proposal of the source, gone proposes to withdraw it, unless that was proposed before.
func (m *merge) gone(ctx context.Context, at standing) error {
	if at.listing.IsOpen() {
		if err := m.takeBack(ctx, at.listing); err != nil {
			return err
		}
	}
	if at.listed.ID == 0 || at.withdraw.ID != 0 && at.withdraw.State != Withdrawn {
		return nil
	}
	m.result.Withdraw++
	return m.add(ctx, Proposal{Target: at.target(), Category: at.listed.Category, Withdraw: true})
}

// stays handles an entry of the list if there are proposals about its target already.
func (m *merge) stays(ctx context.Context, e blocklist.Entry) error {
	at := m.at
	if err := m.advance(); err != nil {
		return err
	}
	if at.withdraw.IsOpen() {
		if err := m.takeBack(ctx, at.withdraw); err != nil {
			return err
		}
	}
	last, now := at.last(), stated(e)
	if last.ID == 0 { // it is new, or back
		return m.add(ctx, now)
	}
	changed, err := m.changed(ctx, last, now)
	switch {
	case err != nil:
		return err
	case changed:
		return m.change(ctx, last, now)
	case !at.withdraw.IsOpen():
		m.result.Known++
	}
	return nil
}

// changed reports whether the source states something else now than in its last proposal. If a person has changed the
// attributes of that proposal, it compares the attributes that were first proposed.
func (m *merge) changed(ctx context.Context, last, now Proposal) (bool, error) {
	differs := func(p Proposal) bool {
		return p.Category != now.Category || p.Reference != now.Reference ||
			last.State != Refused && !p.Expires.Equal(now.Expires)
	}
	if !differs(last) {
		return false, nil
	}
	for first, err := range m.t.StepsOf(ctx, last.ID) {
		return err == nil && differs(first.Change), err
	}
	return false, nil
}

// change records the current proposal as a new one, and takes back the last proposal if that is still open.
func (m *merge) change(ctx context.Context, last, current Proposal) error {
	m.result.Changed++
	if last.IsOpen() {
		if err := m.takeBack(ctx, last); err != nil {
			return err
		}
	}
	return m.add(ctx, current)
}

func (m *merge) takeBack(ctx context.Context, p Proposal) error {
	m.result.Withdrawn++
	_, err := m.t.Update(ctx, p, Proposal{State: Withdrawn})
	return err
}

// stated returns the proposal that an entry of the source's list stands for. A category or reference that is too long
// for a proposal is cut.
func stated(e blocklist.Entry) Proposal {
	cut := func(text string, most int) string { return strings.ToValidUTF8(text[:min(len(text), most)], "") }
	return Proposal{
		Target: e.Target(), Category: cut(e.Category, maxWord), Reference: cut(e.Reference, maxReference),
		Expires: e.Expires, Review: e.Review,
	}
}

func (m *merge) add(ctx context.Context, p Proposal) error {
	p.Source, p.Serial, p.Received = m.List, m.Serial, m.t.Now()
	m.result.Proposed++
	_, err := m.t.Add(ctx, p)
	return cmp.Or(err, checkTexts(p))
}
