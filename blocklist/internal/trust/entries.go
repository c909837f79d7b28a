package trust

import (
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// Entries yields the entries that result from a snapshot and the deltas after it, in the order of a release. If the
// iteration ends without an error, the state after each file was the one signed for that file.
func Entries(files []File, open Open) iter.Seq2[blocklist.Entry, error] {
	return func(yield func(blocklist.Entry, error) bool) {
		since, err := lastChanges(files, open)
		if err != nil {
			yield(blocklist.Entry{}, err)
			return
		}
		m := merger{since: since, order: slices.SortedFunc(maps.Keys(since), strings.Compare), yield: yield}
		if err := read(files[0], open, m.merge); err != nil && !m.ended {
			yield(blocklist.Entry{}, err)
		}
	}
}

// lastChanges reads the deltas after a snapshot. It returns the last change of each target.
func lastChanges(files []File, open Open) (map[string]blocklist.Change, error) {
	last := map[string]blocklist.Change{}
	for i, f := range files[1:] {
		err := read(f, open, func(r *blocklist.ReleaseReader) error {
			for c, err := range r.Changes() {
				if err != nil {
					return err
				}
				last[c.Entry.Target()] = c
			}
			return files[i].Release.leads(r)
		})
		if err != nil {
			return nil, err
		}
	}
	return last, nil
}

// merger merges the lines of a snapshot with later changes.
type merger struct {
	since map[string]blocklist.Change
	order []string // targets whose change was not yet merged, sorted
	yield func(blocklist.Entry, error) bool
	ended bool // whether yield has returned false
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
		if !changed && !m.emit(c.Entry) {
			return nil
		}
	}
	m.changedBefore("")
	return nil
}

// changedBefore yields the remaining changed entries up to and including a target. An empty target means all.
func (m *merger) changedBefore(target string) {
	for len(m.order) > 0 && (target == "" || m.order[0] <= target) {
		c := m.since[m.order[0]]
		m.order = m.order[1:]
		if !c.Removed && !m.emit(c.Entry) {
			return
		}
	}
}

func (m *merger) emit(e blocklist.Entry) bool {
	m.ended = !m.yield(e, nil)
	return !m.ended
}
