package publish

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
	"github.com/argine-dns/argine/blocklist/nearest"
)

// Rules are the rules for new orders and for proposals. The zero value has only one rule: two persons decide on each
// proposal that is confirmed.
type Rules struct {
	NeedReference bool `json:"need_reference,omitempty"` // whether each order needs a reference
	NeedReason    bool `json:"need_reason,omitempty"`    // whether each operation that gives orders needs a reason
	// Categories are the categories of which an order needs one. Without them, an order has any category, or none.
	Categories []string `json:"categories,omitempty"`
	// Reference is a regular expression of package regexp, at most 1 KiB, that a reference must match as a whole. An order
	// without a reference matches. Empty: any reference.
	Reference string `json:"reference,omitempty"`
	// TwoPersons are the categories in which two persons decide on a proposal: one checks, another confirms. An order in
	// one of these categories can only come from a proposal. Without categories, two persons decide on every proposal;
	// with [NoCategory] alone, one person decides.
	TwoPersons []string `json:"two_persons,omitempty"`
	Reporters  bool     `json:"reporters,omitempty"` // whether a proposal may name the person who has reported
}

// NoCategory is the only element of [Rules.TwoPersons] if one person decides in every category.
const NoCategory = "none"

// NeedsTwo reports whether two persons must decide on a proposal of this category.
func (r Rules) NeedsTwo(category string) bool {
	return len(r.TwoPersons) == 0 || slices.Contains(r.TwoPersons, category)
}

// OnlyProposed reports whether an order in this category can only come from a proposal.
func (r Rules) OnlyProposed(category string) bool {
	return category != NoCategory && slices.Contains(r.TwoPersons, category)
}

// OnePerson reports whether one person can decide on proposals of every category.
func (r Rules) OnePerson() bool { return len(r.TwoPersons) == 1 && r.TwoPersons[0] == NoCategory }

// Persons describes in words how many persons decide on a proposal.
func (r Rules) Persons() string {
	switch {
	case len(r.TwoPersons) == 0:
		return "two persons decide on each proposal"
	case r.OnePerson():
		return "one person decides on a proposal"
	}
	return "two persons decide on proposals of " + strings.Join(r.TwoPersons, ", ")
}

// ErrRules is returned if an order breaks the rules of the list.
var ErrRules = errors.New("against the rules of the list")

// ErrTwoPersons is returned for an order that does not come from a proposal, in a category of [Rules.TwoPersons]. It
// wraps [ErrRules].
var ErrTwoPersons = fmt.Errorf("%w: two persons decide on its category", ErrRules)

// RuleError says which rule of the list an order breaks. It wraps [ErrRules].
type RuleError struct {
	Field  string // FieldReason, FieldReference or FieldCategory
	Target string // target of the order; empty: the error is about the whole operation
	Rule   Message
	err    error
}

// Fields of an order or operation that a rule is about.
const (
	FieldReason    = "reason"
	FieldReference = "reference"
	FieldCategory  = "category"
)

// Error implements error.
func (e *RuleError) Error() string {
	text := fmt.Sprintf("%v: %v", ErrRules, e.Rule)
	if e.Target == "" {
		return text
	}
	return fmt.Sprintf("%.80s: %s", e.Target, text)
}

// Unwrap returns [ErrTwoPersons] for an order that must come from a proposal, otherwise [ErrRules].
func (e *RuleError) Unwrap() error { return e.err }

// MarshalText implements [encoding.TextMarshaler] with the text of Error.
func (e *RuleError) MarshalText() ([]byte, error) { return []byte(e.Error()), nil }

// Phrases that say what a rule demands.
var (
	ruleReason    = Phrase{"rule.reason", "a reason is needed; --reason gives it"}
	ruleReference = Phrase{"rule.reference", "a reference is needed; --ref gives it"}
	rulePattern   = Phrase{"rule.pattern", "reference %.80q does not match %s"}
	ruleCategory  = Phrase{"rule.category", "category %.80q is not in its vocabulary: %s"}
	ruleMeant     = Phrase{"rule.category.meant", "category %.80q is not in its vocabulary; do you mean %s?"}
	ruleNone      = Phrase{"rule.category.none", "a category is needed: %s"}
	ruleTwo       = Phrase{"rule.two", "two persons decide on its category; blocklist propose makes a proposal"}
)

// isZero reports whether r is the zero value.
func (r Rules) isZero() bool {
	return !r.NeedReference && !r.NeedReason && len(r.Categories) == 0 && r.Reference == "" && len(r.TwoPersons) == 0 && !r.Reporters
}

const metaRules = "rules"

// Limits of rules: the number of categories in Categories and TwoPersons together, and the length of the pattern in
// bytes.
const (
	maxCategories = 1000
	maxPattern    = 1 << 10
)

var isCategory = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// Rules returns the rules of the list.
func (l *Ledger) Rules(ctx context.Context) (Rules, error) {
	r, _, err := readRules(ctx, l.history.View)
	return r, err
}

// readRules returns the rules, and the JSON text in which they are stored.
func readRules(ctx context.Context, v ledger.View) (r Rules, stored string, err error) {
	if stored, err = v.Meta(ctx, metaRules); err != nil || stored == "" {
		return r, "", err
	}
	if err := json.Unmarshal([]byte(stored), &r); err != nil {
		return r, stored, ledger.Damaged("the rules can't be read: %v", err)
	}
	return r, stored, nil
}

// SetRules replaces the rules of the list. Existing orders stay as they are. The ledger records an operation with the
// given author and reason; its reference is the rules. SetRules fails with [blocklist.ErrMalformed] unless the
// categories are words in lower case and the pattern is valid. It fails with [blocklist.ErrTooLarge] if a limit is
// exceeded.
func (l *Ledger) SetRules(ctx context.Context, r Rules, by Audit) error {
	return r.set(ctx, l.history.Change, by)
}

// set records the operation that sets the rules, by calling record.
func (r Rules) set(ctx context.Context, record func(context.Context, string, Audit, func(*ledger.Tx) error) error,
	by Audit,
) error {
	r.Categories = slices.Compact(slices.Sorted(slices.Values(r.Categories)))
	r.TwoPersons = slices.Compact(slices.Sorted(slices.Values(r.TwoPersons)))
	if _, err := r.compile(); err != nil {
		return err
	}
	stored, err := json.Marshal(r)
	if err != nil {
		return err
	}
	by.Reference = r.describe(string(stored))
	return record(ctx, KindRules, by, func(t *ledger.Tx) error { return t.SetMeta(ctx, metaRules, string(stored)) })
}

// describe returns the reference of the operation that sets these rules: the stored text, or a hash if that is long.
func (r Rules) describe(stored string) string {
	if len(stored) <= 1<<10 {
		return stored
	}
	sum := sha256.Sum256([]byte(stored))
	return fmt.Sprintf("%d categories (SHA-256 %s)", len(r.Categories), hex.EncodeToString(sum[:]))
}

// checker checks orders against the rules of the list.
type checker struct {
	Rules
	reference *regexp.Regexp // pattern that a reference must match; nil: any
	broken    uint64         // number of orders that lenient has left out
	breaches  []string       // errors of the first 20 of these orders, each with the rule that the order breaks
}

// compile returns a checker for these rules. It fails with [blocklist.ErrMalformed] or [blocklist.ErrTooLarge] if the
// rules are not valid.
func (r Rules) compile() (*checker, error) {
	c := &checker{Rules: r}
	if len(r.Reference) > maxPattern || len(r.Categories)+len(r.TwoPersons) > maxCategories {
		return nil, fmt.Errorf("rules: %w: a pattern has at most 1 KiB, and there are at most 1,000 categories", blocklist.ErrTooLarge)
	}
	for _, category := range slices.Concat(r.Categories, r.TwoPersons) {
		if !isCategory.MatchString(category) {
			return nil, fmt.Errorf("category %.80q: %w: it is one word in lower case, of letters, digits, dots, hyphens and underscores",
				category, blocklist.ErrMalformed)
		}
	}
	if r.Reference == "" {
		return c, nil
	}
	var err error
	if c.reference, err = regexp.Compile(`^(?:` + r.Reference + `)$`); err != nil {
		return nil, fmt.Errorf("pattern of references %.80q: %w: %w", r.Reference, blocklist.ErrMalformed, err)
	}
	return c, nil
}

// newChecker returns a checker with the list's rules, for the orders of one operation. It fails with [ErrRules] if the
// operation needs a reason and has none.
func (l *Ledger) newChecker(ctx context.Context, by Audit) (*checker, error) {
	r, err := l.Rules(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.checkReason(by); err != nil {
		return nil, err
	}
	return r.compile()
}

// checkReason fails with [ErrRules] if the rules demand a reason and the operation has none.
func (r Rules) checkReason(by Audit) error {
	if r.NeedReason && by.Reason == "" {
		return &RuleError{FieldReason, "", ruleReason.With(), ErrRules}
	}
	return nil
}

// check fails with [ErrRules] if an order breaks a rule, except the rule in TwoPersons.
func (c *checker) check(e blocklist.Entry) error {
	switch {
	case c.NeedReference && e.Reference == "":
		return &RuleError{FieldReference, e.Target(), ruleReference.With(), ErrRules}
	case c.reference != nil && e.Reference != "" && !c.reference.MatchString(e.Reference):
		return &RuleError{FieldReference, e.Target(), rulePattern.With(e.Reference, c.Reference), ErrRules}
	case len(c.Categories) > 0 && !slices.Contains(c.Categories, e.Category):
		return &RuleError{FieldCategory, e.Target(), c.otherCategory(e.Category), ErrRules}
	}
	return nil
}

// checkDirect fails with [ErrRules] if an order that does not come from a proposal breaks a rule.
func (c *checker) checkDirect(e blocklist.Entry) error {
	if c.OnlyProposed(e.Category) {
		return &RuleError{FieldCategory, e.Target(), ruleTwo.With(), ErrTwoPersons}
	}
	return c.check(e)
}

// otherCategory returns a message about a wrong category: it suggests one with a similar name, or else names the
// allowed categories.
func (c *checker) otherCategory(given string) Message {
	shown := strings.Join(c.Categories[:min(len(c.Categories), 20)], ", ")
	if given == "" {
		return ruleNone.With(shown)
	}
	if near := nearest.Word(strings.ToLower(given), c.Categories); near != "" {
		return ruleMeant.With(given, near)
	}
	return ruleCategory.With(given, shown)
}

// strict yields the entries. For an entry that breaks a rule, it also yields an error that wraps [ErrRules].
func (c *checker) strict(entries iter.Seq2[blocklist.Entry, error]) iter.Seq2[blocklist.Entry, error] {
	return func(yield func(blocklist.Entry, error) bool) {
		for e, err := range entries {
			if err == nil {
				err = c.checkDirect(e)
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// lenient yields the entries that break no rule. It counts the others.
func (c *checker) lenient(entries iter.Seq2[blocklist.Entry, error]) iter.Seq2[blocklist.Entry, error] {
	return func(yield func(blocklist.Entry, error) bool) {
		for e, err := range entries {
			if err == nil {
				if breach := c.checkDirect(e); breach != nil {
					if c.broken++; len(c.breaches) < maxFindings {
						c.breaches = append(c.breaches, breach.Error())
					}
					continue
				}
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// verifyRules fails unless the stored rules are those of the last operation that set rules.
func verifyRules(ctx context.Context, view ledger.View) error {
	rules, stored, err := readRules(ctx, view)
	if err != nil {
		return err
	}
	set := ""
	for o, err := range view.Operations(ctx, ledger.Range{Kinds: []string{KindRules}}) {
		if err != nil {
			return err
		}
		set = o.Reference
	}
	if what := rules.describe(stored); what != set {
		return ledger.Damaged("the rules (%.200q) are not those that an operation has set (%.200q)", what, set)
	}
	return nil
}
