package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// days are working days: each has some orders, and most have a release.
func (a *agency) days(count int) {
	a.t.Helper()
	for range count {
		for range 2 + a.random.IntN(4) {
			a.anything()
		}
		if a.publish() {
			a.compare("current")
			if a.chance(25) {
				a.orderUrgently()
			}
			if a.chance(15) {
				a.compare("rare")
			}
		}
	}
}

// anything is one command of the desk.
func (a *agency) anything() {
	a.t.Helper()
	actions := []func(){
		func() { a.add(a.target(), a.ref(), "") },
		func() { a.add(a.target(), a.ref(), a.expiry()) },
		func() { a.addMany() },
		func() { a.removeTarget() },
		func() { a.removeOrder() },
		func() { a.removeEverywhere() },
		func() { a.removeFile() },
		func() { a.importFile() },
		func() { a.replace() },
		func() { a.undo() },
		func() { a.undo() },
		func() { a.change(exitHeld, a.book.orders, "", "add", "co.uk", "--ref", "x") },
	}
	actions[a.random.IntN(len(actions))]()
}

func (a *agency) target() string {
	kinds := []string{"n%d.example", "=host.n%d.example", "https://page%d.example/a", "https://page%d.example/b/*"}
	return fmt.Sprintf(kinds[a.random.IntN(len(kinds))], a.random.IntN(4))
}

func (a *agency) ref() string { return fmt.Sprintf("order-%d", a.random.IntN(6)) }

func (a *agency) expiry() string { return []string{expired, far, farAway}[a.random.IntN(3)] }

// listed returns a target that is listed, not the one that always is.
func (a *agency) listed() (target string, ok bool) {
	all := slices.Sorted(maps.Keys(a.book.orders))
	all = slices.DeleteFunc(all, func(t string) bool { return t == "ever.example" })
	if len(all) == 0 {
		return "", false
	}
	return all[a.random.IntN(len(all))], true
}

func (a *agency) add(target, ref, expires string) {
	a.t.Helper()
	next := a.book.orders.clone()
	next.add(target, modelOrder{ref, expires})
	args := []string{"add", target, "--ref", ref}
	if expires != "" {
		args = append(args, "--expires", expires)
	}
	a.change(exitDone, next, ref, args...)
}

func (a *agency) some(count int) (targets []string) {
	for range count {
		targets = append(targets, a.target())
	}
	slices.Sort(targets)
	return slices.Compact(targets)
}

func (a *agency) addMany() {
	a.t.Helper()
	targets, ref, next := a.some(3), a.ref(), a.book.orders.clone()
	for _, target := range targets {
		next.add(target, modelOrder{ref, ""})
	}
	a.change(exitDone, next, ref, append([]string{"add", "--ref", ref}, targets...)...)
}

// removeTarget withdraws all orders of a target, which may have none.
func (a *agency) removeTarget() {
	a.t.Helper()
	target, code := a.target(), exitFailed
	next := a.book.orders.clone()
	if len(next[target]) > 0 {
		code = exitDone
		next.withdraw(target, every)
	}
	a.change(code, next, "", "remove", target)
}

// removeOrder withdraws one order of a target, which may not stand.
func (a *agency) removeOrder() {
	a.t.Helper()
	target, ok := a.listed()
	if !ok {
		return
	}
	ref, code := a.ref(), exitFailed
	if a.chance(70) {
		ref = a.book.orders[target][0].ref
	}
	next := a.book.orders.clone()
	if _, stands := next.find(target, ref); stands {
		code = exitDone
		next.withdraw(target, has(ref))
	}
	a.change(code, next, ref, "remove", target, "--ref", ref)
}

func (a *agency) removeEverywhere() {
	a.t.Helper()
	ref, code := a.ref(), exitFailed
	next := a.book.orders.clone()
	next.withdrawAll(has(ref))
	if len(a.book.changed(next)) > 0 {
		code = exitDone
	}
	a.change(code, next, ref, "remove", "--ref", ref)
}

func (a *agency) removeFile() {
	a.t.Helper()
	target, ok := a.listed()
	if !ok {
		return
	}
	targets, code := append(a.some(2), target), exitDone
	next := a.book.orders.clone()
	for _, target := range targets {
		if len(a.book.orders[target]) == 0 {
			code = exitAttention
		}
		next.withdraw(target, every)
	}
	a.writeList(targets)
	a.change(code, next, "", "remove", "-f", a.path("hq", "list.txt"), "--format", "argine")
}

func (a *agency) writeList(targets []string) {
	a.t.Helper()
	a.write("hq/list.txt", strings.Join(targets, "\n")+"\n")
}

func (a *agency) importFile() {
	a.t.Helper()
	targets, ref, next := a.some(8), a.ref(), a.book.orders.clone()
	for _, target := range targets {
		next.add(target, modelOrder{ref, ""})
	}
	a.writeList(targets)
	a.change(exitDone, next, ref, "import", a.path("hq", "list.txt"), "--ref", ref, "--format", "argine")
}

// replace imports the full list of a feed.
func (a *agency) replace() {
	a.t.Helper()
	targets, ref, next := a.some(6), "feed", a.book.orders.clone()
	for _, target := range slices.Collect(maps.Keys(next)) {
		if !slices.Contains(targets, target) {
			next.withdraw(target, has(ref))
		}
	}
	for _, target := range targets {
		next.set(target, modelOrder{ref, ""})
	}
	a.writeList(targets)
	a.change(exitDone, next, ref, "import", a.path("hq", "list.txt"), "--ref", ref, "--replace", "--format", "argine")
}

// undo undoes one of the last operations.
func (a *agency) undo() {
	a.t.Helper()
	if len(a.book.changes) == 0 {
		return
	}
	c := a.book.changes[max(0, len(a.book.changes)-1-a.random.IntN(5))]
	next, ok := a.book.undo(c)
	if !ok {
		a.change(exitFailed, a.book.orders, "", "undo", fmt.Sprint(c.id))
		return
	}
	a.change(exitDone, next, fmt.Sprintf("operation %d", c.id), "undo", fmt.Sprint(c.id))
}

// orderUrgently has one officer sign an urgent order, which is in force until the next release.
func (a *agency) orderUrgently() {
	a.t.Helper()
	a.names++
	name := fmt.Sprintf("urgent%d.example", a.names)
	a.ledger(0, "urgent", "add", name, "--ref", "night", "--request", a.path("hq", "request"))
	a.ledger(0, "sign", "--signature", a.sign(exitDone, a.two()[0]))
	a.ledger(0, "urgent", "push", a.path("hq", "ORIGIN"))
	a.urgent = append(a.urgent, name)
	a.head = a.newest()
	a.compare("current")
}

// compare brings a subscriber up to date, and compares ledger, origin and subscriber with the orders.
func (a *agency) compare(subscriber string) {
	a.t.Helper()
	a.at(subscriber)
	a.run(0, "pull", a.path("hq", "ORIGIN"), "--root", a.path(subscriber, "root.json"),
		"-o", a.path(subscriber, "PULLED"))
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
	require.Contains(a.t, a.ledger(0, "status", a.path("hq", "ORIGIN"), "--json"), `"state":"same"`)
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
	for kind := range strings.FieldsSeq("init add remove import expire undo push root refuse urgent recover") {
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

// renewRoot makes a root with a new expiry, and the next release brings it to the origin.
func (a *agency) renewRoot() {
	a.t.Helper()
	a.ledger(0, "root", "--reason", "as each year")
	a.signRoot(2, a.two()...)
	a.head = a.newest()
	a.publishNow()
}

// publishNow adds an entry and publishes until there is a release.
func (a *agency) publishNow() {
	a.t.Helper()
	a.names++
	a.add(fmt.Sprintf("now%d.example", a.names), "now", "")
	for !a.publish() {
	}
	a.compare("current")
}

// backup writes a backup.
func (a *agency) backup() []byte {
	a.t.Helper()
	a.ledger(0, "backup", "-o", a.path("hq", "backup.tar"))
	content, err := os.ReadFile(a.path("hq", "backup.tar"))
	require.NoError(a.t, err)
	return content
}

// loseLedger loses the ledger after a release: what is restored is old, has one more order, and recovers.
func (a *agency) loseLedger(backup []byte, saved *book, savedSerial uint64) {
	a.t.Helper()
	a.publishNow()
	a.checkHistory(3)
	require.NoError(a.t, os.Rename(a.path("hq", "DIR"), a.path("hq", "LOST")))
	a.unpack(backup, "hq/DIR")
	a.head = a.newest()
	lost, serial := a.released, a.serial
	a.book = saved
	a.ledger(0, "verify")
	a.add("beyond.example", "beyond", "")
	a.ledger(0, "release")
	a.ledger(0, "request", "-o", a.path("hq", "request"))
	for _, name := range a.officers {
		if a.seen[name] > savedSerial {
			a.sign(exitRefused, name) // it is a serial that was signed, or an older one
		}
	}
	require.Contains(a.t, a.ledger(0, "status", a.path("hq", "ORIGIN"), "--json"), `"state":"newer"`)
	a.run(0, "recover", a.path("hq", "ORIGIN"), a.path("hq", "DIR"), "--root", a.path("rare", "root.json"),
		"--reason", "restored")
	a.recovered(lost, serial)
	a.compareRestored()
}

// recovered brings the book to the state after the recovery: the release, and the order beyond it once more.
func (a *agency) recovered(lost state, serial uint64) {
	a.t.Helper()
	var o struct {
		ID        int64
		Reference string
	}
	require.NoError(a.t, json.Unmarshal([]byte(a.ledger(0, "log", "--kind", "recover", "--json")), &o))
	a.book.record(a.book.recovered(lost), event{id: o.ID, author: "desk", ref: o.Reference, serial: serial})
	next := a.book.orders.clone()
	next.add("beyond.example", modelOrder{"beyond", ""})
	a.head = a.newest()
	a.book.record(next, event{id: a.head, author: "desk", ref: "beyond"})
	a.book.changes = nil
	require.Equal(a.t, o.ID+1, a.head)
}

// compareRestored compares a ledger that has recovered, and subscribers who have seen nothing of it.
func (a *agency) compareRestored() {
	a.t.Helper()
	a.compare("current")
	a.compare("rare")
	a.checkHistory(3)
	a.publishNow()
}

// loseOfficer loses carla's key: dora comes, as the two who remain sign.
func (a *agency) loseOfficer() {
	a.t.Helper()
	require.NoError(a.t, os.RemoveAll(a.path("carla")))
	dora := a.newOfficer("dora")
	a.at("hq")
	a.ledger(0, "root", "--add-officer", dora, "--remove-officer", "carla", "--reason", "the key of carla is lost")
	a.signRoot(3, "bruno", "anna")
	a.officers = []string{"anna", "bruno", "dora"}
	a.pass("rare/root.json", "dora/root.json") // an older root: carla may have signed the newest release
	a.head = a.newest()
	a.publishNow()
}
