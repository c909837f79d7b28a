package desk

import (
	"iter"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
	"github.com/argine-dns/argine/blocklist/publish/report"
	"github.com/argine-dns/argine/blocklist/publish/takedown"
	"github.com/argine-dns/argine/blocklist/receipt"
)

// overview has the data about the list that every page needs. It is read once for each state of the folder.
type overview struct {
	publish.Status
	roles        map[string]string
	confidential bool
	checked      []proposal.CheckedCount
	refusals     []publish.Refusal
	ending       uint64 // number of signed urgent orders that a release made now would end and that need a decision
}

// unprepared returns the number of changed lines that are in no release yet, neither pushed nor pending.
func (o *overview) unprepared() uint64 { return o.UnpreparedAdded + o.UnpreparedRemoved }

// refused returns the last refusals: of urgent orders if urgent is set, otherwise of roots and releases. See
// [publish.Ledger.Refusals].
func (o *overview) refused(urgent bool) (all []publish.Refusal) {
	for _, r := range o.refusals {
		if r.Urgent == urgent {
			all = append(all, r)
		}
	}
	return all
}

// state identifies the content of the agency's folder that pages depend on. Equal states mean equal content.
type state struct {
	version publish.Version
	folders string
}

// board has the subscribers' standings and enforcement times, computed from the receipts.
type board struct {
	read      read
	times     report.Enforcement
	standings []receipt.Standing
}

// shownChanges is the maximum number of changes, and of operations, of a release on a page. The signing request has all
// of them.
const shownChanges = 500

// changes has the first changes of the list as text, and the numbers of all added and removed lines.
type changes struct {
	First          []string // each with the sign + or −
	Added, Removed uint64
}

// More returns the number of changes that First does not have.
func (c changes) More() uint64 { return c.Added + c.Removed - uint64(len(c.First)) }

func (c *changes) fill(all iter.Seq2[blocklist.Change, error]) error {
	for change, err := range all {
		if err != nil {
			return err
		}
		sign := "+"
		if c.Added++; change.Removed {
			c.Added--
			c.Removed++
			sign = "−"
		}
		if len(c.First) < shownChanges {
			c.First = append(c.First, sign+change.Entry.String())
		}
	}
	return nil
}

// review is the content of a release that an officer reads before signing: what the signature covers.
type review struct {
	Operations []publish.Operation // the first operations in the release
	More       uint64              // number of further operations
	Changes    changes
	Problem    error // why an officer must not sign the release; nil: no reason was found
}

// read has the subscribers' receipts, and the time at which they were read.
type read struct {
	*report.Receipts
	at time.Time
}

// receiptsFor is the time after which the desk reads the receipts again. It is short: if subscribers have only minutes
// to enforce a release, officers must see quickly who enforces it.
const receiptsFor = 10 * time.Second

// counted has the progress of each platform, and when it was counted.
type counted struct {
	platforms []takedown.PlatformStatus
	at        time.Time
}
