package desk

import (
	"context"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
	"github.com/argine-dns/argine/blocklist/receipt"
)

// listed is an entry with its present effect at subscribers.
type listed struct {
	blocklist.Entry
	Effect publish.Effect
}

// effects returns the entries, each with its effect.
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

// decided is a proposal. If the proposal has changed the list, it also has the present effect on its target.
type decided struct {
	proposal.Proposal
	Effect publish.Effect // effect on the target; zero: the proposal has not changed the list
}

// decided returns the proposals, with the effects of those that have changed the list.
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

// verdict is the answer to the question whether a target is blocked.
type verdict struct {
	Target string
	Covers bool // whether Target is broader than the target in the question
	Effect publish.Effect
	Enforced
}

// Enforced says which subscribers have confirmed a release.
type Enforced struct {
	Given     bool // whether the desk reads receipts, so that the other fields are known
	Confirmed []string
	Missing   []string
	Problem   string // why the receipts can't be shown; empty: they can
}

// Total returns the number of subscribers.
func (e Enforced) Total() int { return len(e.Confirmed) + len(e.Missing) }

// verdict answers whether a target is blocked. The argument all has the histories of this target and of all targets
// that cover it, most specific first. The verdict is about the most specific target whose effect blocks; if none does,
// about the one with the highest [weight].
func (v *visit) verdict(all []*publish.EntryHistory) verdict {
	best := all[0]
	for _, h := range all[1:] {
		if weight(h.Effect) > weight(best.Effect) {
			best = h
		}
	}
	return verdict{best.Target, best.Covers, best.Effect, v.enforced(best.Effect)}
}

// weight ranks effects for [visit.verdict]. An effect in force that blocks has the highest weight.
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

// patience is the maximum time that a page waits for receipts. After that, reading them continues for the next request.
const patience = time.Second

// enforced returns which subscribers have confirmed the release with which an effect began.
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
