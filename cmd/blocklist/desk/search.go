package desk

import (
	"cmp"
	"errors"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
)

// searchPage has the results of a search for a text, by kind of result.
type searchPage struct {
	Text       string
	Of         string                  // the text as a target in canonical form; if it is no target, the text itself
	Operation  *publish.ShownOperation // operation whose number or hash is the text
	Targets    []*publish.EntryHistory // targets that are the text or cover it
	Below      []listed
	Begin      []listed // entries whose target begins with the text
	Urgent     []urgentOrder
	Withdrawn  []withdrawn
	Proposals  []decided
	Containing []listed // further entries, also withdrawn ones, whose target or reference contains the text
	Operations []logged
}

// withdrawn is a target that is no longer listed, with its effect at subscribers.
type withdrawn struct {
	Target string
	Effect publish.Effect
}

// Nothing reports whether the search has no results.
func (p searchPage) Nothing() bool {
	entries := len(p.Urgent) + len(p.Targets) + len(p.Below) + len(p.Begin) + len(p.Withdrawn) + len(p.Containing)
	return p.Operation == nil && entries+len(p.Proposals)+len(p.Operations) == 0
}

// IsTooLong reports whether the text is so long that nothing was searched.
func (p searchPage) IsTooLong() bool { return len(p.Text) > maxSearch }

// foundLength is the maximum number of results of each kind.
const foundLength = 20

// maxSearch is the maximum length of the text to search for, in bytes.
const maxSearch = 2 << 10

func (v *visit) search() error {
	p := searchPage{Text: strings.TrimSpace(v.r.URL.Query().Get("q"))}
	if p.IsTooLong() || p.Text == "" {
		return v.show("search", "search.title", p)
	}
	p.Of = canonical(p.Text)
	for _, find := range []func(*visit) error{
		p.findOperation, p.findUrgent, p.findTargets, p.findBelow, p.findBeginning, p.findWithdrawn,
		p.findContaining, p.findProposals, p.findLog,
	} {
		if err := find(v); err != nil {
			return err
		}
	}
	return v.show("search", "search.title", p)
}

func (p *searchPage) findOperation(v *visit) error {
	o, err := v.ledger.Operation(v.r.Context(), strings.TrimPrefix(p.Text, "#"))
	switch {
	case errors.Is(err, publish.ErrNoOperation), errors.Is(err, blocklist.ErrMalformed):
		return nil
	case err == nil:
		p.Operation = &o
	}
	return err
}

// findTargets fills in the targets that are the text or cover it.
func (p *searchPage) findTargets(v *visit) error {
	all, err := v.ledger.EntryHistory(v.r.Context(), p.Of)
	if errors.Is(err, blocklist.ErrMalformed) || errors.Is(err, blocklist.ErrTooLarge) {
		return nil // it is no target
	}
	for _, h := range all {
		if h.Effect.State != publish.EffectNever {
			p.Targets = append(p.Targets, h)
		}
	}
	return err
}

// has reports whether the page already has a result with this target.
func (p *searchPage) has(target string) bool {
	return slices.ContainsFunc(p.Targets, func(h *publish.EntryHistory) bool { return h.Target == target }) ||
		slices.ContainsFunc(slices.Concat(p.Below, p.Begin), func(e listed) bool { return e.Target() == target }) ||
		slices.ContainsFunc(p.Withdrawn, func(w withdrawn) bool { return w.Target == target })
}

// findBelow fills in the entries for subdomains of a name.
func (p *searchPage) findBelow(v *visit) error {
	name, addr, err := blocklist.ParseHost(strings.TrimPrefix(p.Of, "="))
	if err != nil || addr.IsValid() {
		return nil //nolint:nilerr // nothing lies below it
	}
	below, err := first(v.ledger.EntriesUnder(v.r.Context(), name, foundLength))
	if err == nil {
		p.Below, err = v.effects(below)
	}
	return err
}

// findBeginning fills in the entries whose target begins with the text, such as the pages on a host.
func (p *searchPage) findBeginning(v *visit) error {
	found, err := v.entriesIn(beginnings(p.Text), publish.EntryRange{Most: foundLength})
	if err != nil {
		return err
	}
	found = slices.DeleteFunc(found, func(e blocklist.Entry) bool { return p.has(e.Target()) })
	p.Begin, err = v.effects(found)
	return err
}

// findWithdrawn fills in the targets that begin with the text and are no longer listed. Subscribers may still enforce
// them.
func (p *searchPage) findWithdrawn(v *visit) error {
	var targets []string
	for _, r := range beginnings(p.Text) {
		r.Most = foundLength
		some, err := first(v.ledger.WithdrawnIn(v.r.Context(), r))
		if err != nil {
			return err
		}
		targets = append(targets, some...)
	}
	targets = slices.DeleteFunc(targets, p.has)
	targets = targets[:min(len(targets), foundLength)]
	effects, err := v.ledger.Effects(v.r.Context(), targets, time.Now())
	for _, target := range targets {
		p.Withdrawn = append(p.Withdrawn, withdrawn{target, effects[target]})
	}
	return err
}

// findContaining fills in the entries whose target, or the reference of one of their orders, contains the text.
func (p *searchPage) findContaining(v *visit) error {
	typed := strings.ToLower(p.Text)
	var targets []string
	for _, one := range []struct {
		texts *haystack
		part  string
	}{{v.texts.targets, partOf(p.Text)}, {v.texts.targets, typed}, {v.texts.references, typed}} {
		ids, _, err := one.texts.find(v.r.Context(), v.ledger, one.part, foundLength)
		if err != nil {
			return err
		}
		some, err := v.ledger.FoundTargets(v.r.Context(), one.texts.kind, ids, foundLength)
		if err != nil {
			return err
		}
		targets = append(targets, some...)
	}
	var entries []blocklist.Entry
	for _, target := range targets {
		if p.has(target) || slices.ContainsFunc(entries, func(e blocklist.Entry) bool { return e.Target() == target }) {
			continue
		}
		e, listed, err := v.ledger.Lookup(v.r.Context(), target)
		if err == nil && !listed {
			e, err = blocklist.ParseEntry(target)
		}
		if err != nil {
			return err
		}
		entries = append(entries, e)
	}
	found, err := v.effects(entries)
	p.Containing = found
	return err
}

// findProposals fills in the proposals with the text in their target, reference, note or decisions.
func (p *searchPage) findProposals(v *visit) error {
	f := proposal.Filter{Limit: foundLength}
	_, err := v.fill(&f, p.Text)
	if err != nil {
		return err
	}
	found, err := proposal.List(v.r.Context(), v.ledger, f)
	if err == nil {
		p.Proposals, err = v.decided(found)
	}
	return err
}

// fill restricts a filter to the proposals whose texts contain the typed text. It reports whether there are more such
// proposals than the search returns, see [maxFound].
func (v *visit) fill(f *proposal.Filter, typed string) (more bool, err error) {
	f.IDs = []int64{}
	for _, part := range slices.Compact([]string{partOf(typed), strings.ToLower(strings.TrimSpace(typed))}) {
		ids, moreOf, err := v.texts.proposals.find(v.r.Context(), v.ledger, part, maxFound)
		if err != nil {
			return false, err
		}
		f.IDs, more = append(f.IDs, ids...), more || moreOf
	}
	return more, nil
}

// findLog fills in the operations, and the decisions on proposals, with the text in their reason, reference or author.
func (p *searchPage) findLog(v *visit) error {
	var found [2][]logged
	for i, one := range []struct {
		texts *haystack
		read  func(publish.LogFilter) ([]logged, error)
	}{{v.texts.operations, v.log}, {v.texts.decisions, v.decisions}} {
		ids, _, err := one.texts.find(v.r.Context(), v.ledger, strings.ToLower(p.Text), foundLength)
		if err == nil && len(ids) > 0 {
			found[i], err = one.read(publish.LogFilter{IDs: ids, Last: foundLength})
		}
		if err != nil {
			return err
		}
	}
	p.Operations, _, _ = merged(found[0], found[1], foundLength)
	return nil
}

// entriesIn returns the entries in the given ranges, sorted by target. The argument part restricts all the ranges, and
// says how many entries are returned and from which end.
func (v *visit) entriesIn(ranges []publish.EntryRange, part publish.EntryRange) (all []blocklist.Entry, err error) {
	for _, r := range ranges {
		r.Most, r.Last, r.From = part.Most, part.Last, max(r.From, part.From)
		if part.Before != "" && (r.Before == "" || part.Before < r.Before) {
			r.Before = part.Before
		}
		some, err := first(v.ledger.EntriesIn(v.r.Context(), r))
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.SortFunc(all, func(a, b blocklist.Entry) int {
		if part.Last {
			a, b = b, a
		}
		return cmp.Compare(a.Target(), b.Target())
	})
	return all[:min(len(all), part.Most)], nil
}

// first returns the values of an iterator as a slice. If the iterator yields an error, first returns only the error.
func first[T any](all iter.Seq2[T, error]) (values []T, err error) {
	for e, err := range all {
		if err != nil {
			return nil, err
		}
		values = append(values, e)
	}
	return values, nil
}
