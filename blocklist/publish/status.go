package publish

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// Status is the current state of a list.
type Status struct {
	List string    `json:"list"`
	Root *RootInfo `json:"root,omitempty"` // the root in force; nil: the first root waits for signatures
	// Head is the last operation. Its Entries and Digest are those of the current list.
	Head     Operation      `json:"head"`
	Released *ReleaseRecord `json:"released,omitempty"` // the last pushed release; nil: none
	Added    uint64         `json:"unreleased_added"`   // lines added since Released
	Removed  uint64         `json:"unreleased_removed"` // lines removed since Released
	// UnpreparedAdded and UnpreparedRemoved count the lines in Added and Removed that are not in the pending release.
	UnpreparedAdded   uint64            `json:"-"`
	UnpreparedRemoved uint64            `json:"-"`
	Rules             Rules             `json:"rules,omitzero"`
	Due               DueCounts         `json:"due"`
	Proposals         map[string]uint64 `json:"proposals,omitempty"` // number of proposals by state
	Pending           *Pending          `json:"pending,omitempty"`   // the pending root or release; nil: none
	Skipped           []Skipped         `json:"skipped,omitempty"`   // skipped serials after Released
	Urgent            *UrgentList       `json:"urgent,omitempty"`    // urgent orders in force since Released; nil: none
	// Ordered are the urgent orders that wait for an officer's signature. It is nil if none wait.
	Ordered *Pending `json:"ordered,omitempty"`
	// Origin is the result of [Ledger.Compare], for callers that have called it. Status does not set it.
	Origin *Comparison `json:"origin,omitempty"`
	// Damaged says which part of the folder is missing or damaged. It is empty if none is.
	Damaged string `json:"damaged,omitempty"`
	// Warnings are tasks that are due soon, with the command for each.
	Warnings []Message `json:"warnings,omitempty"`
	Expired  bool      `json:"expired,omitempty"` // whether the root or the pushed release has expired
}

// Phrases for warnings, and for their parts.
var (
	ofRoot         = Phrase{"warning.root", "root %d"}
	ofRelease      = Phrase{"warning.release", "serial %d"}
	renewRoot      = Phrase{"warning.root.how", "blocklist root renews it"}
	renewRelease   = Phrase{"warning.release.how", "blocklist release renews it"}
	hasExpired     = Phrase{"warning.expired", "%s has expired on %s: subscribers call the list stale; %s"}
	expiresSoon    = Phrase{"warning.expires", "%s expires on %s, in %d days; %s"}
	tooFew         = Phrase{"warning.signatures", "too few of the officers of root %d have signed serial %d; blocklist release makes the next one for them to sign"}
	rootWaits      = Phrase{"warning.waiting", "root %d waits for signatures, and is not in force: until it is signed and pushed, subscribers trust root %d"}
	newSubscribers = Phrase{"warning.subscribers", "subscribers have changed since serial %d; blocklist release makes that count"}
)

// RootInfo describes the root in force.
type RootInfo struct {
	Version   int64     `json:"version"`
	Expires   time.Time `json:"expires"`
	Threshold int       `json:"threshold"`
	Officers  []string  `json:"officers"` // names of the officers
	// Fingerprint is the fingerprint of the root, see [Fingerprint].
	Fingerprint string `json:"fingerprint"`
	Keys        []Key  `json:"keys"`   // public keys of the officers
	Online      Key    `json:"online"` // public key of the origin
	// Confidential reports whether the list is encrypted to its subscribers.
	Confidential bool `json:"confidential,omitempty"`
}

// Status returns the current state of the list. If a part of the folder is missing or damaged, it sets Damaged instead
// of failing.
func (l *Ledger) Status(ctx context.Context) (s Status, err error) {
	s.List = l.list
	if s.Head, err = l.history.Head(ctx); err != nil {
		return s, err
	}
	last, err := l.history.LastRelease(ctx)
	if err != nil {
		return s, err
	}
	if last.Serial > 0 {
		s.Released = &last
		s.Added, s.Removed, err = count(l.Unreleased(ctx))
	} else {
		s.Added = s.Head.Entries
	}
	s.UnpreparedAdded, s.UnpreparedRemoved = s.Added, s.Removed
	if serial, _ := l.pendingUpTo(ctx); serial > 0 && err == nil {
		s.UnpreparedAdded, s.UnpreparedRemoved, err = count(l.Unprepared(ctx))
	}
	if err != nil {
		return s, err
	}
	if err = l.readList(ctx, &s); err != nil {
		return s, err
	}
	if s.Pending, err = l.Pending(); err == nil || errors.Is(err, ErrNothingPending) {
		err = l.checkExpiry(&s)
	}
	if err == nil {
		err = l.checkSubscribers(ctx, &s)
	}
	if err == nil {
		err = l.checkParts(ctx, l.findFiles)
	}
	if err == nil && s.Root != nil {
		err = l.addUrgent(ctx, &s)
	}
	if part := (*PartError)(nil); errors.As(err, &part) {
		s.Damaged, err = part.Error(), nil
	}
	return s, err
}

// readList sets the fields of the status that come from the ledger and are not about releases: skipped serials, rules,
// due orders, proposals.
func (l *Ledger) readList(ctx context.Context, s *Status) (err error) {
	if s.Skipped, err = l.Skipped(ctx); err != nil {
		return err
	}
	if s.Rules, err = l.Rules(ctx); err != nil {
		return err
	}
	if s.Due, err = l.countDue(ctx); err != nil {
		return err
	}
	return l.countProposals(ctx, s)
}

func (l *Ledger) countProposals(ctx context.Context, s *Status) error {
	counts, err := l.history.ProposalCounts(ctx)
	s.Proposals = map[string]uint64{}
	for _, c := range counts {
		s.Proposals[c.State] += c.Number
	}
	return err
}

// checkExpiry sets s.Root to the root in force. It adds warnings if the root or the last release expires soon, or if
// the release lacks signatures under this root.
func (l *Ledger) checkExpiry(s *Status) error {
	version, err := l.newestRoot()
	if err != nil || version == 0 {
		return err
	}
	root, err := l.openRoot(version)
	if err != nil {
		return err
	}
	spec := root.Spec()
	s.Root = &RootInfo{
		Version: version, Expires: spec.Expires, Threshold: spec.Threshold, Officers: names(spec.Officers),
		Confidential: spec.Confidential,
		Fingerprint:  rootFingerprint(root), Keys: describeKeys(spec.Officers), Online: describeKey(spec.Online),
	}
	s.warn(ofRoot.With(version), spec.Expires, renewRoot.With())
	if s.Pending != nil && s.Pending.Root > 0 {
		s.Warnings = append(s.Warnings, rootWaits.With(s.Pending.Root, version))
	}
	if s.Released == nil {
		return nil
	}
	pushed, err := l.readPushed(s.Released.Serial)
	if err != nil {
		return err
	}
	s.warn(ofRelease.With(s.Released.Serial), pushed.targets.Expires, renewRelease.With())
	renewed := s.Pending != nil && s.Pending.Serial > s.Released.Serial && s.Pending.Enough()
	if _, err := trust.OpenTargets(root, pushed.metadata); err != nil && !renewed {
		s.Warnings = append(s.Warnings, tooFew.With(version, s.Released.Serial))
	}
	return nil
}

// warn adds a warning if something has expired, or expires within renewBefore. The argument subject names that thing,
// and the argument remedy says which command renews it.
func (s *Status) warn(subject Message, expires time.Time, remedy Message) {
	left := time.Until(expires)
	switch {
	case left <= 0:
		s.Expired = true
		s.Warnings = append(s.Warnings, hasExpired.With(subject, Day(expires), remedy))
	case left <= renewBefore:
		s.Warnings = append(s.Warnings, expiresSoon.With(subject, Day(expires), int(left.Hours())/24, remedy))
	}
}

// addUrgent sets the fields of the status about urgent orders.
func (l *Ledger) addUrgent(ctx context.Context, s *Status) error {
	orders, err := l.Urgent(ctx)
	if err == nil && len(orders.Entries) > 0 {
		s.Urgent = &orders
	}
	if err == nil {
		s.Ordered, err = l.PendingUrgent(ctx)
	}
	if errors.Is(err, ErrNothingPending) {
		s.Ordered, err = nil, nil
	}
	return err
}

// checkSubscribers adds a warning if subscribers have changed since the pending release was made. If no release is
// pending, it does so if they have changed since the last release.
func (l *Ledger) checkSubscribers(ctx context.Context, s *Status) error {
	if s.Root == nil || !s.Root.Confidential || s.Released == nil {
		return nil
	}
	released := *s.Released
	if s.Pending != nil && s.Pending.Ledger != "" {
		if o, err := l.history.OperationByHash(ctx, s.Pending.Ledger); err == nil {
			released.Operation, released.Head = o.ID, o.Hash
		}
	}
	changed, err := l.subscribersChanged(ctx, released)
	if changed {
		s.Warnings = append(s.Warnings, newSubscribers.With(s.Released.Serial))
	}
	return err
}

func count(changes iter.Seq2[blocklist.Change, error]) (added, removed uint64, err error) {
	for c, err := range changes {
		if err != nil {
			return 0, 0, err
		}
		if c.Removed {
			removed++
		} else {
			added++
		}
	}
	return added, removed, nil
}
