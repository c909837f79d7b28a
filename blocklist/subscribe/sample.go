package subscribe

import (
	"iter"
	"math/rand/v2"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// sampleSize is how many names that came, and how many that went, a resolver is asked for.
const sampleSize = 8

// sample picks some of what changed on a way, at random: of a snapshot some of what it lists. A file that is gone, because
// another release came meanwhile, or that is damaged, leaves less to pick from.
func (s *Subscription) sample(way []trust.File) (added, removed []blocklist.Entry) {
	var came, went reservoir
	soon := time.Now().Add(probeWithin)
	for c, err := range s.changes(way) {
		switch e := c.Entry; {
		case err != nil, e.Scope != blocklist.ScopeDomain && e.Scope != blocklist.ScopeHost:
		case c.Removed:
			went.offer(e)
		case !e.Monitor && (e.Expires.IsZero() || e.Expires.After(soon)):
			came.offer(e)
		}
	}
	return came.entries, went.entries
}

// changes yields what changed on a way.
func (s *Subscription) changes(way []trust.File) iter.Seq2[blocklist.Change, error] {
	if way[0].Release.Base > 0 {
		return trust.Net(nil, way, s.openKept)
	}
	return func(yield func(blocklist.Change, error) bool) {
		for e, err := range trust.Entries(way, s.openKept) {
			if !yield(blocklist.Change{Entry: e}, err) {
				return
			}
		}
	}
}

// reservoir keeps some of many, each with the same chance.
type reservoir struct {
	entries []blocklist.Entry
	seen    int
}

func (r *reservoir) offer(e blocklist.Entry) {
	r.seen++
	if len(r.entries) < sampleSize {
		r.entries = append(r.entries, e)
	} else if i := rand.IntN(r.seen); i < sampleSize { //nolint:gosec // no secret
		r.entries[i] = e
	}
}
