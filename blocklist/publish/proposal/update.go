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

// State is a verified state of another agency's list.
type State struct {
	List    string
	Serial  uint64
	Digest  string
	Signers []string // the officers who have signed it
	// Entries are its entries, in the order of a release.
	Entries iter.Seq2[blocklist.Entry, error]
}

// Updated counts what an update did.
type Updated struct {
	Proposed  uint64 `json:"proposed"`  // new proposals
	Withdraw  uint64 `json:"withdraw"`  // of these, to withdraw an entry that was confirmed
	Withdrawn uint64 `json:"withdrawn"` // open proposals about what the list has no more: taken back
	Known     uint64 `json:"known"`     // entries that were proposed before
}

// Update turns a state of another agency's list into proposals, as one step whose reference has list, serial, digest
// and signers. What the list has and its source has not proposed is proposed, with category, reference, expiry and
// review as they are there. What it has no more is taken back; if it was confirmed, that it is withdrawn is proposed.
// An entry that was refused here is not proposed again while it stays on the list.
//
// Monitored entries and those that have expired do not count. It needs memory for what changes, not for the list. If
// progress is not nil, it is called from time to time with the number of entries read.
func Update(ctx context.Context, l *publish.Ledger, s State, by publish.Audit,
	progress func(uint64),
) (u Updated, err error) {
	by.Reference = shortened(fmt.Sprintf("%s@%d, digest %s, signed by %s", s.List, s.Serial, s.Digest, strings.Join(s.Signers, ", ")))
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

// shortened limits a text for a step.
func shortened(text string) string { return strings.ToValidUTF8(text[:min(len(text), 4000)], "") }

// standing is how far a source's proposals about a target are.
type standing struct {
	listing  Proposal // the last one to list it; ID 0: none
	withdraw Proposal // the last one after that to withdraw it; ID 0: none
}

func (s standing) target() string { return cmp.Or(s.listing.Target, s.withdraw.Target) }

// standings yields how far the proposals about each target are.
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
			if p.Withdraw {
				at.withdraw = p
			} else {
				at = standing{listing: p}
			}
		}
		if at.target() != "" {
			yield(at, nil)
		}
	}
}

// merge goes through the entries of a list and the proposals of its source side by side, both in the order of targets.
type merge struct {
	State

	t      *ledger.StepTx
	next   func() (standing, error, bool)
	at     standing // the proposals that the entries have not passed; the zero value: there are none
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
			err = m.propose(ctx, e)
		}
		if err != nil {
			return err
		}
	}
	return m.passUntil(ctx, "")
}

// advance reads the next proposal.
func (m *merge) advance() error {
	at, err, more := m.next()
	if m.at = at; !more {
		m.at = standing{}
	}
	return err
}

// passUntil handles the proposals about targets before one, which the list has no more. The empty text is beyond all.
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

// gone handles a target that the list has no more.
func (m *merge) gone(ctx context.Context, at standing) error {
	switch {
	case at.listing.IsOpen():
		return m.takeBack(ctx, at.listing)
	case at.listing.State != Listed || at.withdraw.ID != 0 && at.withdraw.State != Withdrawn:
		return nil
	}
	m.result.Withdraw++
	return m.add(ctx, Proposal{Target: at.target(), Category: at.listing.Category, Withdraw: true})
}

// stays handles a target about which there are proposals, and which the list has.
func (m *merge) stays(ctx context.Context, e blocklist.Entry) error {
	at := m.at
	if err := m.advance(); err != nil {
		return err
	}
	switch {
	case at.listing.ID == 0, at.listing.State == Withdrawn, at.withdraw.State == Delisted: // it is new, or back
		return m.propose(ctx, e)
	case at.withdraw.IsOpen():
		return m.takeBack(ctx, at.withdraw)
	}
	m.result.Known++
	return nil
}

func (m *merge) takeBack(ctx context.Context, p Proposal) error {
	m.result.Withdrawn++
	_, err := m.t.Update(ctx, p, Proposal{State: Withdrawn})
	return err
}

func (m *merge) propose(ctx context.Context, e blocklist.Entry) error {
	return m.add(ctx, Proposal{
		Target: e.Target(), Category: e.Category, Reference: e.Reference, Expires: e.Expires, Review: e.Review,
	})
}

func (m *merge) add(ctx context.Context, p Proposal) error {
	p.Source, p.Serial, p.Received = m.List, m.Serial, m.t.Now()
	if len(p.Category) > maxWord || len(p.Reference) > maxReference { // what is longer helps no one
		p.Category = strings.ToValidUTF8(p.Category[:min(len(p.Category), maxWord)], "")
		p.Reference = strings.ToValidUTF8(p.Reference[:min(len(p.Reference), maxReference)], "")
	}
	m.result.Proposed++
	_, err := m.t.Add(ctx, p)
	return cmp.Or(err, checkTexts(p))
}
