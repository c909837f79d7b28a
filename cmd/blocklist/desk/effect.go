package desk

import (
	"context"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
	"github.com/argine-dns/argine/blocklist/receipt"
)

// listed is an entry, with the effect that it has at the subscribers.
type listed struct {
	blocklist.Entry
	Effect publish.Effect
}

// effects returns entries, each with its effect.
func (v *visit) effects(entries []blocklist.Entry) ([]listed, error) {
	targets := make([]string, len(entries))
	for i, e := range entries {
		targets[i] = e.Target()
	}
	effects, err := v.ledger.Effects(v.r.Context(), targets, time.Now())
	all := make([]listed, len(entries))
	for i, e := range entries {
		all[i] = listed{e, effects[targets[i]]}
	}
	return all, err
}

// decided is a proposal, with the effect on its target if the proposal has changed the list.
type decided struct {
	proposal.Proposal
	Effect publish.Effect // without a state: the proposal has not changed the list
}

// decided returns proposals, each with the effect on its target if the proposal has changed the list.
func (v *visit) decided(proposals []proposal.Proposal) ([]decided, error) {
	counts := func(p proposal.Proposal) bool { return p.State == proposal.Listed || p.State == proposal.Delisted }
	var targets []string
	for _, p := range proposals {
		if counts(p) {
			targets = append(targets, p.Target)
		}
	}
	var effects map[string]publish.Effect
	var err error
	if len(targets) > 0 {
		effects, err = v.ledger.Effects(v.r.Context(), targets, time.Now())
	}
	all := make([]decided, len(proposals))
	for i, p := range proposals {
		if all[i].Proposal = p; counts(p) {
			all[i].Effect = effects[p.Target]
		}
	}
	return all, err
}

// verdict is the answer to the question whether something is blocked.
type verdict struct {
	Target string
	Covers bool // the target is broader than what was asked for
	Effect publish.Effect
	Enforced
}

// Enforced says which subscribers have confirmed the release with which a state began.
type Enforced struct {
	Given     bool // the desk reads receipts
	Confirmed []string
	Missing   []string
	Problem   string // why the receipts can't be shown
}

// Total returns how many subscribers there are.
func (e Enforced) Total() int { return len(e.Confirmed) + len(e.Missing) }

// verdict answers whether something is blocked, from the history of all targets that cover it, most specific first. It
// takes the most specific target that is in force, or else the one whose state is nearest to that.
func (v *visit) verdict(all []*publish.EntryHistory) verdict {
	best := all[0]
	for _, h := range all[1:] {
		if weight(h.Effect) > weight(best.Effect) {
			best = h
		}
	}
	return verdict{best.Target, best.Covers, best.Effect, v.enforced(best.Effect)}
}

// weight ranks effects by how much they tell about whether something is blocked.
func weight(e publish.Effect) int {
	switch {
	case e.InForce() && !e.Monitor:
		return 5
	case e.InForce():
		return 4
	case e.State == publish.EffectDecided:
		return 3
	case e.State == publish.EffectEnded, e.State == publish.EffectExpired:
		return 2
	case e.State == publish.EffectDropped:
		return 1
	}
	return 0
}

// patience is how long a page waits for receipts. Reading them continues after that, for the next request.
const patience = time.Second

// enforced returns which subscribers have confirmed the release with which a state began.
func (v *visit) enforced(of publish.Effect) (e Enforced) {
	if e.Given = v.Receipts != nil; !e.Given || of.Serial == 0 {
		return e
	}
	ctx, cancel := context.WithTimeout(v.r.Context(), patience)
	defer cancel()
	b, err := v.board(ctx)
	if err != nil {
		e.Problem = err.Error()
		return e
	}
	for _, s := range b.standings {
		if s.Serial >= of.Serial && s.State != receipt.Differs {
			e.Confirmed = append(e.Confirmed, s.Subscriber)
		} else {
			e.Missing = append(e.Missing, s.Subscriber)
		}
	}
	return e
}
