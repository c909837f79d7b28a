package trust

import (
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// Entries yields the list that a way from 0 leads to, in the order of a release. If it ends without an error, every state
// on the way was the one that was signed.
func Entries(way []File, open Open) iter.Seq2[blocklist.Entry, error] {
	return func(yield func(blocklist.Entry, error) bool) {
		since, err := netChanges(way, open)
		if err != nil {
			yield(blocklist.Entry{}, err)
			return
		}
		m := merger{since: since, order: slices.SortedFunc(maps.Keys(since), strings.Compare), yield: yield}
		if err := read(way[0], open, m.merge); err != nil && !m.ended {
			yield(blocklist.Entry{}, err)
		}
	}
}

// netChanges reads the deltas of a way: the last change of each target.
func netChanges(way []File, open Open) (map[string]blocklist.Change, error) {
	net := map[string]blocklist.Change{}
	for i, f := range way[1:] {
		err := read(f, open, func(r *blocklist.ReleaseReader) error {
			for c, err := range r.Changes() {
				if err != nil {
					return err
				}
				net[c.Entry.Target()] = c
			}
			return way[i].Release.leads(r)
		})
		if err != nil {
			return nil, err
		}
	}
	return net, nil
}

// merger joins the lines of a snapshot with the changes since.
type merger struct {
	since map[string]blocklist.Change
	order []string // targets that are still to come
	yield func(blocklist.Entry, error) bool
	ended bool // by the receiver
}

func (m *merger) merge(snapshot *blocklist.ReleaseReader) error {
	for c, err := range snapshot.Changes() {
		if err != nil {
			return err
		}
		changed := false
		if len(m.since) > 0 {
			target := c.Entry.Target()
			if m.changedBefore(target); m.ended {
				return nil
			}
			_, changed = m.since[target]
		}
		if !changed && !m.give(c.Entry) {
			return nil
		}
	}
	m.changedBefore("")
	return nil
}

// changedBefore gives what has changed before a target, or all that is left, and the target's own change.
func (m *merger) changedBefore(target string) {
	for len(m.order) > 0 && (target == "" || m.order[0] <= target) {
		c := m.since[m.order[0]]
		m.order = m.order[1:]
		if !c.Removed && !m.give(c.Entry) {
			return
		}
	}
}

func (m *merger) give(e blocklist.Entry) bool {
	m.ended = !m.yield(e, nil)
	return !m.ended
}
