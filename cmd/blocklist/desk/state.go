package desk

import (
	"iter"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/report"
	"github.com/argine-dns/argine/blocklist/receipt"
)

// overview is what every page needs of the list's state. It is read once for each state.
type overview struct {
	publish.Status
	roles        map[string]string
	confidential bool
}

// unprepared returns how many changed lines are in no release yet, neither in a pushed one nor in the pending one.
func (o *overview) unprepared() uint64 { return o.UnpreparedAdded + o.UnpreparedRemoved }

// state stands for all that the desk shows of the agency's folder. Two equal ones have the same content.
type state struct {
	version publish.Version
	folders string
}

// board is what the receipts say together.
type board struct {
	read      read
	times     report.Enforcement
	standings []receipt.Standing
}

// shownChanges is how many changes and operations of a release the page has. The others are in the request.
const shownChanges = 500

// changes are the first changes of a list, and how many there are.
type changes struct {
	First          []string // lines with their sign
	Added, Removed uint64
}

// More returns how many changes are not among the first.
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

// review is what the signatures on a release cover.
type review struct {
	Operations []publish.Operation // the first ones
	More       uint64              // how many others there are
	Changes    changes
	Problem    error // why an officer must not sign it
}

// read are the subscribers' receipts at a time.
type read struct {
	*report.Receipts
	at time.Time
}

// receiptsFor is how old the receipts of a page are at most, so that an officer with a deadline of some minutes sees
// who enforces a release.
const receiptsFor = 10 * time.Second
