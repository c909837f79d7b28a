package subscribe

import (
	"iter"
	"math/rand/v2"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// sampleSize is the maximum number of added names in a probe. The same limit applies to the removed names.
const sampleSize = 8

// sample returns random samples of the names that release files add and remove. If a file is damaged, or was removed
// because of a newer release, the samples are from the readable part.
func sample(sub enforcer, path []trust.File) (added, removed []blocklist.Entry) {
	var came, went reservoir
	soon := time.Now().Add(probeWithin)
	for c, err := range changes(sub, path) {
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

// changes yields the changes in release files. All entries of a snapshot are additions.
func changes(sub enforcer, path []trust.File) iter.Seq2[blocklist.Change, error] {
	if path[0].Release.Base > 0 {
		return trust.NetChanges(nil, path, sub.openKept)
	}
	return func(yield func(blocklist.Change, error) bool) {
		for e, err := range trust.Entries(path, sub.openKept) {
			if !yield(blocklist.Change{Entry: e}, err) {
				return
			}
		}
	}
}

// reservoir is a uniform random sample of a stream (reservoir sampling).
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
