package publish

import (
	"context"
	"errors"
	"iter"

	"github.com/argine-dns/argine/blocklist"
)

// Status says where the list stands.
type Status struct {
	List     string         `json:"list"`
	Root     *RootInfo      `json:"root,omitempty"`     // in force; nil: it waits for signatures
	Head     Operation      `json:"head"`               // the last operation; Entries and Digest are those of the list now
	Released *ReleaseRecord `json:"released,omitempty"` // the newest release that was pushed
	Added    uint64         `json:"unreleased_added"`   // lines that came since
	Removed  uint64         `json:"unreleased_removed"` // lines that went since
	Pending  *Pending       `json:"pending,omitempty"`  // what waits for signatures, or to be pushed
	Warnings []string       `json:"warnings,omitempty"` // what must be done soon, and how
}

// Status returns where the list stands.
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
	if err != nil {
		return s, err
	}
	if s.Pending, err = l.Pending(); err != nil && !errors.Is(err, ErrNothingPending) {
		return s, err
	}
	return s, l.checkExpiry(&s)
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
