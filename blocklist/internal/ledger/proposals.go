package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
)

// Proposals have a history of their own beside the operations, so that a report changes neither the state that officers
// sign nor a release that waits for signatures, and a signing request does not carry it. A [Step] is to a proposal what
// an [Operation] is to an entry: each has its lines, author, reason, and a hash chained to the step before. Each
// release records the last step's hash in an operation of [KindProposals], so the officers' signatures cover the steps
// as well.

// schemaProposals has the tables that are new in version 5; see [upgrade]. The column current has the present state of
// a [Proposal] in JSON. The other columns repeat parts of it for indexes; for the column place see [Proposal.place].
// The table proposal_counts has the number of proposals in each [ProposalGroup]; see also [pageOfGroups].
const schemaProposals = `
CREATE TABLE steps (
	id INTEGER PRIMARY KEY, time TEXT NOT NULL, author TEXT NOT NULL, kind TEXT NOT NULL, reason TEXT NOT NULL,
	reference TEXT NOT NULL, last_line INTEGER NOT NULL, lines_hash TEXT NOT NULL, hash TEXT NOT NULL);
CREATE TABLE step_lines (id INTEGER PRIMARY KEY, proposal INTEGER NOT NULL, line TEXT NOT NULL);
CREATE INDEX step_lines_proposal ON step_lines (proposal);
CREATE TABLE proposals (
	id INTEGER PRIMARY KEY, source TEXT NOT NULL, category TEXT NOT NULL, state TEXT NOT NULL, place INTEGER NOT NULL,
	checker TEXT NOT NULL, target TEXT NOT NULL, host TEXT NOT NULL, key TEXT NOT NULL, current TEXT NOT NULL);
CREATE UNIQUE INDEX proposals_place ON proposals (place);
CREATE INDEX proposals_page ON proposals (source, category, state, place, checker);
CREATE INDEX proposals_target ON proposals (target);
CREATE INDEX proposals_source ON proposals (source, target);
CREATE INDEX proposals_host ON proposals (host, place);
CREATE UNIQUE INDEX proposals_key ON proposals (source, key) WHERE key != '';
CREATE TABLE proposal_counts (
	source TEXT NOT NULL, category TEXT NOT NULL, state TEXT NOT NULL, number INTEGER NOT NULL,
	PRIMARY KEY (source, category, state)) WITHOUT ROWID;
`

// States of a proposal.
const (
	StateNew       = "new"
	StateChecked   = "checked"   // a first person has approved the proposal
	StateListed    = "listed"    // the proposal's target is listed by an order
	StateDelisted  = "delisted"  // for a proposal to withdraw: the order was withdrawn
	StateRefused   = "refused"   // the proposal was rejected
	StateReferred  = "referred"  // the page was referred to a platform; the proposal may still be checked
	StateWithdrawn = "withdrawn" // the source has taken the proposal back
)

// States returns all states: the open ones, in the order in which a proposal goes through them, and then the others.
func States() []string {
	return []string{StateNew, StateChecked, StateReferred, StateListed, StateDelisted, StateRefused, StateWithdrawn}
}

// OpenStates returns the states of proposals that people have not decided on yet.
func OpenStates() []string { return []string{StateNew, StateChecked, StateReferred} }

// Proposal proposes to list a target, or to withdraw it; people decide on it. In the lines of a [Step], a Proposal has
// only the fields that the step has changed.
type Proposal struct {
	ID       int64  `json:"id"`
	Target   string `json:"target,omitempty"`   // target in canonical form
	Withdraw bool   `json:"withdraw,omitempty"` // whether the proposal asks to withdraw the target
	// Source says who made the proposal. If it comes from another agency's list, Source is the name of that list, and
	// Serial is the serial of the list's release.
	Source    string    `json:"source,omitempty"`
	Serial    uint64    `json:"serial,omitempty"`
	Received  time.Time `json:"received,omitzero"` // time of reception, in whole seconds, UTC
	Category  string    `json:"category,omitempty"`
	Reference string    `json:"reference,omitempty"` // a case number; it becomes the reference of the order
	Evidence  string    `json:"evidence,omitempty"`  // hexadecimal SHA-256 of the evidence itself, which is not in the ledger
	Note      string    `json:"note,omitempty"`
	Reporter  string    `json:"reporter,omitempty"`
	Key       string    `json:"key,omitempty"` // idempotency key, unique within the source
	Expires   time.Time `json:"expires,omitzero"`
	Review    time.Time `json:"review,omitzero"`
	State     string    `json:"state,omitempty"`
	Checker   string    `json:"checker,omitempty"` // author of the [Step] that checked the proposal
	// Operation is the ID of the operation that gave or withdrew the order; 0: none so far, or the order existed before.
	Operation int64 `json:"operation,omitempty"`
	Step      int64 `json:"step,omitempty"` // ID of the last [Step] that changed the proposal
}

// Step is an operation on proposals. Steps form a hash chain of their own, apart from that of [Operation].
type Step struct {
	ID        int64     `json:"id"` // from 1, without gaps
	Time      time.Time `json:"time"`
	Author    string    `json:"author"`
	Kind      string    `json:"kind"`
	Reason    string    `json:"reason,omitempty"`
	Reference string    `json:"reference,omitempty"`
	LastLine  int64     `json:"last_line"`
	LinesHash string    `json:"lines_hash"` // SHA-256 of the lines of the step, each with a line end
	Hash      string    `json:"hash"`       // SHA-256 of all fields above and the hash of the previous step
}

// Kinds of steps.
const (
	StepPropose  = "propose"
	StepCheck    = "check"
	StepConfirm  = "confirm"
	StepRefuse   = "refuse"
	StepRefer    = "refer"
	StepWithdraw = "withdraw"
	StepSource   = "source" // a source was added, changed or removed; the reference says which
)

// LinkHash returns the hash of the step in the chain. The argument before is the hash of the previous step.
func (s Step) LinkHash(before string) string {
	text, err := json.Marshal([]any{
		before, s.ID, FormatTime(s.Time), s.Author, s.Kind, s.Reason, s.Reference, s.LastLine, s.LinesHash,
	})
	if err != nil {
		panic(err) // can't happen: strings and integers always encode
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// initialStepHash returns the value that the first step is chained to.
func initialStepHash(list string) string { return "argine proposals of " + list }

// anchor returns the text that records the ID and the hash of the step: the reference of an operation of
// [KindProposals].
func (s Step) anchor() string { return fmt.Sprintf("step %d %s", s.ID, s.Hash) }

const stepColumns = `id, time, author, kind, reason, reference, last_line, lines_hash, hash`

func scanStep(row scanner) (s Step, err error) {
	var at string
	if err = row.Scan(&s.ID, &at, &s.Author, &s.Kind, &s.Reason, &s.Reference, &s.LastLine, &s.LinesHash,
		&s.Hash); err != nil {
		return s, err
	}
	if s.Time, err = time.Parse(time.RFC3339, at); err != nil {
		return s, Damaged("step %d: time %q", s.ID, at)
	}
	return s, nil
}

// IsOpen reports whether people still have to decide on the proposal.
func (p Proposal) IsOpen() bool { return slices.Contains(OpenStates(), p.State) }

// maxProposals is one more than the highest ID of a proposal: [Proposal.place] has 27 bits for the ID.
const maxProposals = 1 << 27

// placeFrom returns the lowest value of [Proposal.place] for proposals received at or after a time.
func placeFrom(at time.Time) int64 { return at.Unix() * maxProposals }

// place returns the sort key of the proposal: the second of its reception, and then its ID. It is unique.
func (p Proposal) place() int64 { return placeFrom(p.Received) + p.ID }

// line returns the proposal in JSON, in the form of a line of a [Step].
func (p Proposal) line() string {
	b, err := json.Marshal(p)
	if err != nil {
		panic(err) // can't happen: a time of a proposal has a year that encodes
	}
	return string(b)
}

// apply sets the fields of the proposal that are in line, a line of a [Step] in JSON. The other fields stay.
func (p *Proposal) apply(line string) error {
	if err := json.Unmarshal([]byte(line), p); err != nil {
		return Damaged("proposal %d: a line can't be read: %v", p.ID, err)
	}
	return nil
}

// host returns the name or address in the proposal's target, see [HostOf].
func (p Proposal) host() (string, error) {
	e, err := blocklist.ParseEntry(p.Target)
	if err != nil {
		return "", Damaged("proposal %d: %v", p.ID, err)
	}
	return HostOf(e), nil
}

// HostOf returns the name of a domain or host entry, the host of a url entry, or the target of an ip entry.
func HostOf(e blocklist.Entry) string {
	if name, ok := e.Name(); ok {
		return name.String()
	}
	if e.Scope == blocklist.ScopeURL {
		host, _, _ := strings.Cut(strings.TrimPrefix(e.Key(), "*."), "/")
		return host
	}
	return e.Target()
}
