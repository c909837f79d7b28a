package desk

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
)

// settled is the age from which the modification time of a folder identifies its content. Within one tick of the file
// system's clock (some milliseconds on most systems), a second change would leave the time the same.
const settled = 100 * time.Millisecond

// state returns the present state of the folder. Each change, also by another process, leads to another state.
func (d *Desk) state(ctx context.Context, l *publish.Ledger) (s state, err error) {
	s.version, err = l.Version(ctx)
	s.folders = d.folders()
	return s, err
}

// look returns the overview for a state of the folder, from the cache if possible.
func (d *Desk) look(ctx context.Context, l *publish.Ledger, of state) (*overview, error) {
	return d.overview.get(ctx, fmt.Sprint(of), func(ctx context.Context) (*overview, error) {
		o := &overview{confidential: l.Confidential()}
		var err error
		if o.Status, err = l.Status(ctx); err != nil {
			return nil, err
		}
		if o.roles, err = l.RolesOf(ctx); err != nil {
			return nil, err
		}
		if o.Proposals[proposal.Checked] <= maxCounted {
			if o.checked, err = proposal.CheckedCounts(ctx, l); err != nil {
				return nil, err
			}
		}
		if o.refusals, err = l.Refusals(ctx); err != nil {
			return nil, err
		}
		if o.Damaged == "" {
			o.ending, err = endingUrgent(ctx, l, o.Urgent)
		}
		return o, err
	})
}

// maxCounted is the maximum number of checked proposals that are counted by checker, each time the ledger has changed.
// If there are more, the number of those that the reader has checked is unknown, and taken as 0.
const maxCounted = 10_000

// folders returns the modification times of the folders with files that can change without an operation in the ledger,
// for example by a signature. Two equal results mean that nothing has changed.
func (d *Desk) folders() (times string) {
	now := time.Now()
	for _, name := range []string{".", "roots", "pending", "pending/release", "releases", "urgent"} {
		info, err := os.Stat(filepath.Join(d.Dir, name))
		if err != nil {
			continue
		}
		times += fmt.Sprintf(" %d", info.ModTime().UnixNano())
		if now.Sub(info.ModTime()).Abs() < settled {
			times += fmt.Sprintf(" at %d", now.UnixNano())
		}
	}
	return times
}

// person returns the person with this name and role, with what they have signed and checked.
func (o *overview) person(name, role string) person {
	p := person{Name: name, Role: role}
	same := func(other string) bool { return proposal.SamePerson(other, name) }
	p.Signed = o.Pending != nil && slices.ContainsFunc(o.Pending.Signed, same)
	for _, c := range o.checked {
		if same(c.Checker) && o.Rules.NeedsTwo(c.Category) {
			p.Checked += c.Number
		}
	}
	return p
}

// endingUrgent returns the number of signed urgent orders that would end with a release made now and need a decision:
// their targets are not listed, and their end is not accepted.
func endingUrgent(ctx context.Context, l *publish.Ledger, signed *publish.UrgentList) (n uint64, err error) {
	if signed == nil {
		return 0, nil
	}
	orders, err := l.Ending(ctx, nil)
	for _, o := range orders {
		if isOpen(o) && isSigned(o) {
			n++
		}
	}
	return n, err
}

func isOpen(o publish.EndingOrder) bool { return !o.Accepted }

func isSigned(o publish.EndingOrder) bool { return !o.Waiting }
