package publish_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/testdata/longtest"
)

// state is what a ledger should hold: lines by target.
type state map[string]string

func (s state) digest() string {
	var d blocklist.Digest
	for _, line := range s {
		d.Add([]byte(line))
	}
	return d.String()
}

// changes is the delta between two states.
func changes(before, after state) []string {
	targets := maps.Clone(before)
	maps.Copy(targets, after)
	var all []string
	for _, target := range slices.Sorted(maps.Keys(targets)) {
		was, is := before[target], after[target]
		if was != is && was != "" {
			all = append(all, "-"+was)
		}
		if was != is && is != "" {
			all = append(all, "+"+is)
		}
	}
	return all
}

// model is the orders by target, oldest first.
type model map[string][]blocklist.Entry

func (m model) clone() model {
	c := model{}
	for target, orders := range m {
		c[target] = slices.Clone(orders)
	}
	return c
}

// find returns the order with a reference, nil if there is none.
func (m model) find(target, reference string) *blocklist.Entry {
	for i := range m[target] {
		if m[target][i].Reference == reference {
			return &m[target][i]
		}
	}
	return nil
}

// set gives an order, or puts it in place of the one with its reference.
func (m model) set(o blocklist.Entry) {
	if standing := m.find(o.Target(), o.Reference); standing != nil {
		*standing = o
		return
	}
	m[o.Target()] = append(m[o.Target()], o)
}

func (m model) withdraw(target, reference string) {
	m[target] = slices.DeleteFunc(m[target], func(o blocklist.Entry) bool { return o.Reference == reference })
	if len(m[target]) == 0 {
		delete(m, target)
	}
}

// add is set, but a standing order keeps what the given one does not have.
func (m model) add(o blocklist.Entry) {
	if standing := m.find(o.Target(), o.Reference); standing != nil {
		if o.Category == "" {
			o.Category = standing.Category
		}
		if o.Expires.IsZero() {
			o.Expires = standing.Expires
		}
	}
	m.set(o)
}

// undo takes back what led from one state to another. It returns false if that was changed since.
func (m model) undo(before, after model) bool {
	for _, there := range []model{after, before} {
		for target, orders := range there {
			for _, o := range orders {
				was, left, is := before.find(target, o.Reference), after.find(target, o.Reference), m.find(target, o.Reference)
				same := func(a, b *blocklist.Entry) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }
				if !same(was, left) && !same(is, left) {
					return false
				}
			}
		}
	}
	for target, orders := range after {
		for _, o := range orders {
			if before.find(target, o.Reference) == nil {
				m.withdraw(target, o.Reference)
			}
		}
	}
	for target, orders := range before {
		for _, o := range orders {
			if left := after.find(target, o.Reference); left == nil || *left != o {
				m.set(o)
			}
		}
	}
	return true
}

// state is what is published: the line of the order that blocks longest, of several the oldest.
func (m model) state() state {
	s := state{}
	for target, orders := range m {
		lasts := func(o blocklist.Entry) int {
			score := 0
			if !o.Monitor {
				score = 1e6
			}
			if o.Expires.IsZero() {
				return score + 1e5
			}
			return score + o.Expires.Year()
		}
		best := slices.MaxFunc(orders, func(a, b blocklist.Entry) int { return lasts(a) - lasts(b) })
		s[target] = best.String()
	}
	return s
}

// Random orders, withdrawals and undone operations do what they would do to a map, at every point of the history.
func TestModel(t *testing.T) {
	t.Parallel()
	a := newAgency(t)
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(all ...string) string { return all[random.IntN(len(all))] }
	line := func() string {
		return fmt.Sprintf("%sn%d.example", pick("", "", "="), random.IntN(20)) + pick("", " category=a", " category=b") +
			pick("", ` ref="b c"`, " ref=17", " ref=99") + pick("", "", " expires=2031-01-02", " expires=2032-01-02") +
			pick("", "", " status=monitor")
	}
	now := model{}
	history := []model{{}, {}} // by operation
	outcomes := map[string]int{}
	for range longtest.Rounds(80, 400) {
		next := now.clone()
		var err error
		targets := slices.Sorted(maps.Keys(now))
		what := pick("import", "import", "remove", "withdraw", "withdraw all", "undo", "undo")
		if len(targets) == 0 {
			what = "import"
		}
		switch what {
		case "import":
			var all []blocklist.Entry
			for range random.IntN(6) {
				all = append(all, entry(t, line()))
				next.add(all[len(all)-1])
			}
			_, err = a.Import(t.Context(), stream(all), cause, nil)
		case "remove":
			target := pick(targets...)
			delete(next, target)
			_, err = a.Remove(t.Context(), entries(t, target), cause)
		case "withdraw":
			target := pick(targets...)
			reference := now[target][random.IntN(len(now[target]))].Reference
			next.withdraw(target, reference)
			_, err = a.Withdraw(t.Context(), reference, entries(t, target), cause)
		case "withdraw all":
			reference := pick(targets...)
			reference = now[reference][0].Reference
			if random.IntN(4) > 0 || reference == "" {
				continue
			}
			for _, target := range targets {
				next.withdraw(target, reference)
			}
			_, err = a.Withdraw(t.Context(), reference, nil, cause)
		case "undo":
			id := max(2, len(history)-1-random.IntN(6))
			if id >= len(history) {
				continue
			}
			if !next.undo(history[id-1], history[id]) {
				_, err = a.Undo(t.Context(), int64(id), cause)
				require.ErrorIs(t, err, publish.ErrChangedSince)
				outcomes["refused"]++
				continue
			}
			_, err = a.Undo(t.Context(), int64(id), cause)
		}
		require.NoError(t, err, what)
		outcomes[what]++
		now = next
		s, err := a.Status(t.Context())
		require.NoError(t, err)
		if int(s.Head.ID) == len(history) {
			history = append(history, now)
		}
		require.Equal(t, now.state().digest(), s.Head.Digest, what)
		require.Equal(t, uint64(len(now)), s.Head.Entries)
		require.Equal(t, changes(state{}, now.state()), collect(t, a.Unreleased(t.Context())))
	}
	assert.Len(t, outcomes, 6, outcomes)
	published := now.state()
	var want []string
	for _, target := range slices.Sorted(maps.Keys(published)) {
		want = append(want, published[target])
		orders, err := a.Orders(t.Context(), target)
		require.NoError(t, err)
		assert.Equal(t, now[target], orders)
	}
	assert.Equal(t, want, a.lines(t))
	for range 50 {
		from, to := random.IntN(len(history)), random.IntN(len(history))
		if from <= to {
			assert.Equal(t, changes(history[from].state(), history[to].state()), collect(t, a.History().Changes(t.Context(), int64(from), int64(to))), "%d to %d", from, to)
		}
	}
	v, err := a.Verify(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, uint64(len(now)), v.Entries)
	assert.IsType(t, publish.Verified{}, v)
}
