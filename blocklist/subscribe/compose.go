package subscribe

import (
	"context"
	"iter"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// update is a release as the guards look at it and the store applies it.
type update struct {
	header blocklist.Header // Base: the serial in force that the changes start from; 0: they are the whole list
	// entries is the whole list where the header has no base, read from the files again each time.
	entries iter.Seq2[blocklist.Entry, error]
	deltas  []blocklist.Change // where it has one: the net changes, in the order of a delta
}

// compose reads the files that lead to a release. Deltas become one, so that their files are hashed and parsed once; a
// whole list may be too long for that.
func (s *Subscription) compose(ctx context.Context, path []trust.File) (u update, err error) {
	if u.header, err = path[len(path)-1].Release.Header(); err != nil {
		return u, err
	}
	if path[0].Release.Base == 0 {
		u.header.Base = 0
		u.entries = untilDone(ctx, trust.Entries(path, s.openKept))
		return u, nil
	}
	back := s.held.toRevert(path)
	if u.header.Base = path[0].Release.Base; len(back) > 0 {
		u.header.Base = back[0].Release.Serial
	}
	for c, err := range untilDone(ctx, trust.NetChanges(back, path, s.openKept)) {
		if err != nil {
			return u, err
		}
		u.deltas = append(u.deltas, c)
	}
	return u, nil
}

// changes yields what the store applies.
func (u update) changes(yield func(blocklist.Change, error) bool) {
	for _, c := range u.deltas {
		if !yield(c, nil) {
			return
		}
	}
	if u.entries == nil {
		return
	}
	for e, err := range u.entries {
		if !yield(blocklist.Change{Entry: e}, err) {
			return
		}
	}
}

// untilDone yields what seq does, until ctx is done; then it yields why.
func untilDone[T any](ctx context.Context, seq iter.Seq2[T, error]) iter.Seq2[T, error] {
	const every = 1 << 12 // asking takes a lock
	return func(yield func(T, error) bool) {
		n := 0
		for v, err := range seq {
			if n++; n%every == 0 && err == nil && ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}
