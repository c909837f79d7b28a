package desk

import (
	"cmp"
	"time"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/report"
	"github.com/argine-dns/argine/blocklist/receipt"
)

// subscribersPage has the subscribers, the release that each enforces, and how fast they enforce releases.
type subscribersPage struct {
	table[receipt.Standing]
	Given    bool // whether the desk reads receipts
	From     string
	Read     time.Time // time at which the receipts were read
	Deadline time.Duration
	Times    report.Enforcement
	Readers  []publish.Subscriber // subscribers of a confidential list, who can read it
	Problem  error                // why the receipts can't be read; nil: they can
}

func (v *visit) subscribers() error {
	p := subscribersPage{Given: v.Receipts != nil, Deadline: v.Deadline}
	var err error
	if v.now.confidential {
		if p.Readers, err = v.ledger.Subscribers(v.r.Context()); err != nil {
			return err
		}
	}
	var standings []receipt.Standing
	if p.Given {
		b, err := v.board(v.r.Context())
		if err != nil {
			p.Problem = err
		} else {
			p.From, p.Read, p.Times, standings = b.read.From, b.read.at, b.times, b.standings
		}
	}
	p.table, err = newTable(v.r.URL, standings, "state", map[string]column[receipt.Standing]{
		"subscriber": func(a, b receipt.Standing) int { return cmp.Compare(a.Subscriber, b.Subscriber) },
		"state":      func(a, b receipt.Standing) int { return cmp.Compare(rank(a.State), rank(b.State)) },
		"serial":     func(a, b receipt.Standing) int { return cmp.Compare(a.Serial, b.Serial) },
		"enforced":   func(a, b receipt.Standing) int { return later(a.Enforced, b.Enforced) },
		"took":       func(a, b receipt.Standing) int { return cmp.Compare(a.Took, b.Took) },
	})
	if err != nil {
		return err
	}
	if err = v.show("subscribers", "subscribers.title", p); err == nil {
		v.answer.lasts = clockFor
	}
	return err
}

// rank returns the position of a state in the sort order: states that need attention come first.
func rank(s receipt.State) int {
	switch s {
	case receipt.Differs:
		return 0
	case receipt.Late:
		return 1
	case receipt.Never:
		return 2
	case receipt.Behind:
		return 3
	default:
		return 4
	}
}
