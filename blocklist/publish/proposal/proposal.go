package proposal

import (
	"context"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/internal/utf8text"
	"github.com/argine-dns/argine/blocklist/publish"
)

// Proposal asks to list a target, or to withdraw one. People decide on it.
//
// A new proposal needs Target and Source. The ledger sets ID, State, Checker, Operation and Step. If Received is zero,
// it becomes the time of the [Step] that records the proposal. Evidence is a SHA-256 in hexadecimal. The texts have one
// line each. Source, Category and Key have at most 128 bytes, Reference 1 KiB, Note 4 KiB, Reporter 256 bytes.
type Proposal = ledger.Proposal

// Step is one operation in the history of proposals.
type Step = ledger.Step

// Count is the number of proposals of one source, category and state.
type Count = ledger.ProposalCount

// DetailedStep is a step with the change that it made to one proposal.
type DetailedStep = ledger.ProposalStep

// Filter selects a page of proposals, in the order of reception: newest first unless Oldest is set. The zero value
// selects all. For the next page, After is the ID of the last proposal of the current one.
type Filter = ledger.ProposalFilter

// States of a proposal.
const (
	New       = ledger.StateNew
	Checked   = ledger.StateChecked   // a first person has approved the proposal
	Listed    = ledger.StateListed    // the proposal was confirmed: its target has an order
	Delisted  = ledger.StateDelisted  // a proposal to withdraw was confirmed: the order was withdrawn
	Refused   = ledger.StateRefused   // the proposal was rejected
	Referred  = ledger.StateReferred  // the page was referred to a platform; the proposal may still be checked
	Withdrawn = ledger.StateWithdrawn // the source has taken the proposal back
)

// States returns all states, in the order in which a proposal may have them.
func States() []string { return ledger.States() }

// OpenStates returns the states in which a proposal can still be decided on.
func OpenStates() []string { return ledger.OpenStates() }

// ErrNotFound is returned if no proposal has the given ID. It wraps [blocklist.ErrMalformed].
var ErrNotFound = ledger.ErrNoProposal

// List returns the page of proposals that the filter selects.
func List(ctx context.Context, l *publish.Ledger, f Filter) (page []Proposal, err error) {
	for p, err := range All(ctx, l, f) {
		if err != nil {
			return nil, err
		}
		page = append(page, p)
	}
	return page, nil
}

// All yields the proposals that the filter selects, without holding all of them in memory. The last value may be an
// error.
func All(ctx context.Context, l *publish.Ledger, f Filter) iter.Seq2[Proposal, error] {
	return func(yield func(Proposal, error) bool) {
		for _, state := range f.States {
			if !slices.Contains(States(), state) {
				yield(Proposal{}, fmt.Errorf("state %.40q: %w: there are %s", state, blocklist.ErrMalformed, strings.Join(States(), ", ")))
				return
			}
		}
		for p, err := range l.History().Proposals(ctx, f) {
			if err != nil {
				err = fmt.Errorf("listing proposals: %w", err)
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

// Counts returns the number of proposals for each combination of source, category and state that occurs.
func Counts(ctx context.Context, l *publish.Ledger) ([]Count, error) {
	return l.History().ProposalCounts(ctx)
}

// CheckedCount is the number of proposals of one category that one person has checked and that wait for a second
// person.
type CheckedCount = ledger.CheckedCount

// CheckedCounts returns the number of checked proposals for each checker and category.
func CheckedCounts(ctx context.Context, l *publish.Ledger) ([]CheckedCount, error) {
	return l.History().CheckedCounts(ctx)
}

// Get returns a proposal with all its steps, oldest first. It fails with [ErrNotFound] if no proposal has this ID.
func Get(ctx context.Context, l *publish.Ledger, id int64) (p Proposal, steps []DetailedStep, err error) {
	err = l.History().Read(ctx, func(v ledger.View) error {
		if p, err = v.Proposal(ctx, id); err != nil {
			return err
		}
		for s, err := range v.StepsOf(ctx, id) {
			if err != nil {
				return err
			}
			steps = append(steps, s)
		}
		return nil
	})
	return p, steps, err
}

// order returns the order that the proposal asks for, or an error if it would be malformed.
func order(p Proposal) (blocklist.Entry, error) {
	e, err := blocklist.ParseEntry(p.Target)
	if err != nil {
		return e, err
	}
	e.Attributes = blocklist.Attributes{Category: p.Category, Reference: p.Reference, Expires: p.Expires, Review: p.Review}
	if p.Serial > 0 {
		e.Source = fmt.Sprintf("%s@%d", p.Source, p.Serial)
	}
	return blocklist.ParseEntry(e.String())
}

// Maximum lengths of the texts of a proposal, in bytes.
const (
	maxWord      = 128
	maxReference = 1 << 10
	maxNote      = 4 << 10
	maxReporter  = 256
)

var isSum = regexp.MustCompile(`^[0-9a-f]{64}$`)

// complete validates a new proposal, and returns it in the canonical form in which it is recorded. The argument now is
// the time of the [Step] that records the proposal.
func complete(p Proposal, rules publish.Rules, now time.Time) (Proposal, error) {
	e, err := ParseTarget(p.Target)
	if err != nil {
		return p, err
	}
	p.Target = e.Target()
	e.Attributes = blocklist.Attributes{
		Category: p.Category, Reference: p.Reference, Expires: p.Expires,
		Review: p.Review,
	}.Or(e.Attributes)
	p.Category, p.Reference, p.Expires, p.Review = e.Category, e.Reference, e.Expires.UTC(), e.Review.UTC()
	p.ID, p.State, p.Checker, p.Operation, p.Step = 0, "", "", 0, 0
	p.Evidence = strings.ToLower(p.Evidence)
	if p.Received.IsZero() {
		p.Received = now
	}
	p.Received = p.Received.UTC().Truncate(time.Second)
	switch {
	case p.Source == "":
		return p, malformed("it has no source")
	case p.Evidence != "" && !isSum.MatchString(p.Evidence):
		return p, malformed("evidence %.70q is no SHA-256, 64 hexadecimal digits; the material itself is never recorded", p.Evidence)
	case p.Received.Year() < 1970 || p.Received.After(now.Add(24*time.Hour)):
		return p, malformed("it was received on %s, which can't be", p.Received.Format(time.DateOnly))
	case p.Reporter != "" && !rules.Reporters:
		return p, fmt.Errorf("%w: who has reported is not recorded; blocklist rules --reporters allows it", publish.ErrRules)
	}
	return p, checkTexts(p)
}

func checkTexts(p Proposal) error {
	for _, text := range []struct {
		name, value string
		most        int
	}{
		{"source", p.Source, maxWord},
		{"category", p.Category, maxWord},
		{"reference", p.Reference, maxReference},
		{"note", p.Note, maxNote},
		{"reporter", p.Reporter, maxReporter},
		{"key", p.Key, maxWord},
	} {
		if !utf8text.IsLine(text.value, text.most) || strings.ContainsFunc(text.value, utf8text.Unsafe) {
			return malformed("%s %.40q is not one line of at most %d bytes", text.name, text.value, text.most)
		}
	}
	return nil
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", blocklist.ErrMalformed, fmt.Sprintf(format, args...))
}
