package main

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// compare brings a subscriber up to date, and compares ledger, origin and subscriber with the orders.
func (a *agency) compare(subscriber string) {
	a.t.Helper()
	a.at(subscriber)
	a.run(0, append([]string{
		"pull", a.origin(), "--root", a.path(subscriber, "root.json"), "-o", a.path(subscriber, "PULLED"),
	}, a.identity(subscriber, "isp.age")...)...)
	require.Equal(a.t, a.released.lines(), a.lines(subscriber, "entries.txt"))
	var urgent []string
	for _, line := range a.lines(subscriber, "urgent.txt") {
		name, _, _ := strings.Cut(line, " ")
		urgent = append(urgent, name)
	}
	require.Equal(a.t, a.urgent, urgent)
	a.at("hq")
	listed := strings.Split(strings.TrimSpace(a.ledger(0, "entries")), "\n")
	slices.Sort(listed)
	require.Equal(a.t, a.book.orders.lines(), listed)
	require.Contains(a.t, a.ledger(0, "status", a.origin(), "--json"), `"state":"same"`)
	require.Contains(a.t, a.ledger(0, "verify"), "it.example/test: intact: ")
}

// lines returns the lines of what a subscriber has, sorted.
func (a *agency) lines(subscriber, file string) []string {
	a.t.Helper()
	text, err := os.ReadFile(a.path(subscriber, "PULLED", file))
	require.NoError(a.t, err)
	lines := slices.DeleteFunc(strings.Split(string(text), "\n"), func(l string) bool { return l == "" })
	slices.Sort(lines)
	if len(lines) == 0 {
		return nil
	}
	return lines
}

// compareAll is compare for both subscribers and one that comes now, with the first root.
func (a *agency) compareAll() {
	a.t.Helper()
	a.pass("rare/root.json", "new/root.json")
	for _, subscriber := range []string{"current", "rare", "new"} {
		a.compare(subscriber)
	}
	var entries int
	for line := range strings.Lines(a.ledger(0, "releases", "--json")) {
		var r struct {
			Serial                  uint64
			Entries, Added, Removed int
			Signed                  []string
		}
		require.NoError(a.t, json.Unmarshal([]byte(line), &r))
		assert.Equal(a.t, r.Entries, entries+r.Added-r.Removed, line)
		entries = r.Entries
		assert.GreaterOrEqual(a.t, len(r.Signed), 2, line)
		assert.Contains(a.t, a.digests, r.Serial)
	}
	a.checkKinds()
	a.t.Logf("%d serials, %d entries, %d operations", a.serial, entries, a.head)
}

// checkKinds checks that everything that an agency does was done.
func (a *agency) checkKinds() {
	a.t.Helper()
	count := map[string]int{}
	for line := range strings.Lines(a.ledger(0, "log", "--json", "-n", "0")) {
		var o struct{ Kind string }
		require.NoError(a.t, json.Unmarshal([]byte(line), &o))
		count[o.Kind]++
	}
	a.t.Log(count)
	kinds := "init add remove import expire undo push root refuse urgent recover"
	if a.confidential {
		kinds = "add push root refuse urgent recover subscribe unsubscribe"
	}
	for kind := range strings.FieldsSeq(kinds) {
		assert.Positive(a.t, count[kind], kind)
	}
}

// checkHistory compares the history of one target in every few with the operations that changed it.
func (a *agency) checkHistory(every int) {
	a.t.Helper()
	for i, target := range slices.Sorted(maps.Keys(a.book.events)) {
		if i%every == 0 {
			a.checkTarget(target)
		}
	}
}

func (a *agency) checkTarget(target string) {
	a.t.Helper()
	var h struct {
		Target, Entry string
		Listed        bool
		Orders        []string
		Events        []struct {
			Operation struct {
				ID                int64
				Author, Reference string
			}
			Release *struct{ Serial uint64 }
		}
	}
	text, _, _ := strings.Cut(a.ledger(0, "history", target, "--json"), "\n")
	require.NoError(a.t, json.Unmarshal([]byte(text), &h))
	assert.Equal(a.t, target, h.Target)
	assert.Equal(a.t, a.book.orders.published(target), h.Entry)
	assert.Equal(a.t, len(a.book.orders[target]) > 0, h.Listed)
	var orders []string
	for _, o := range a.book.orders[target] {
		orders = append(orders, o.line(target))
	}
	assert.Equal(a.t, orders, h.Orders, target)
	var events []event
	for _, e := range h.Events {
		got := event{id: e.Operation.ID, author: e.Operation.Author, ref: e.Operation.Reference}
		if e.Release != nil {
			got.serial = e.Release.Serial
		}
		events = append(events, got)
	}
	assert.Equal(a.t, a.book.events[target], events, "%s\n%s", target, text)
}
