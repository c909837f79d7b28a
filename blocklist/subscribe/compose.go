package subscribe

import (
	"context"
	"iter"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// update is a release in the form that the guards check and the store applies.
type update struct {
	// header of the release; Base is the current serial, to which the changes apply; 0: the changes are the whole list
	header blocklist.Header
	// entries is the whole list, if the header has no base. Each iteration reads the files again.
	entries iter.Seq2[blocklist.Entry, error]
	deltas  []blocklist.Change // the net changes, sorted like the lines of a delta, if the header has a base
}

// compose reads the files of an update path. It combines deltas into one delta in memory, so that their files are
// hashed and parsed only once. A whole list may be too long for memory, so it is streamed.
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

// changes yields the changes that the store applies: the net changes, or all entries of the whole list.
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

// untilDone yields the values of seq until ctx is done. Then it yields the cause of ctx as an error.
func untilDone[T any](ctx context.Context, seq iter.Seq2[T, error]) iter.Seq2[T, error] {
	const every = 1 << 12 // number of values between checks, since a check takes a lock
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
