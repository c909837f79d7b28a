package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
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
		func() { a.add(a.target(), modelOrder{ref: a.ref()}) },
		func() { a.add(a.target(), modelOrder{ref: a.ref(), expires: a.expiry()}) },
		func() { a.add(a.target(), modelOrder{ref: a.ref(), expires: a.expiry(), monitor: true}) },
		func() { a.monitorListed() },
		func() { a.addMany() },
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
	if a.confidential {
		actions = append(actions, a.changeSubscribers)
	}
	actions[a.random.IntN(len(actions))]()
}

func (a *agency) target() string {
	kinds := []string{"n%d.example", "=host.n%d.example", "https://page%d.example/a", "https://page%d.example/b/*"}
	return fmt.Sprintf(kinds[a.random.IntN(len(kinds))], a.random.IntN([]int{4, 16}[a.random.IntN(2)]))
}

func (a *agency) ref() string { return fmt.Sprintf("order-%d", a.random.IntN(6)) }

// expiry returns an expiry, or nothing now and then.
func (a *agency) expiry() string { return expiries()[a.random.IntN(len(expiries()))] }

// dated returns the flag for an expiry, if there is one.
func dated(expires string) []string {
	if expires == "" {
		return nil
	}
	return []string{"--expires", expires}
}

// listed returns a target that is listed, not the one that always is.
func (a *agency) listed() (target string, ok bool) {
	all := slices.Sorted(maps.Keys(a.book.orders))
	all = slices.DeleteFunc(all, func(t string) bool { return t == "ever.example" })
	if len(all) == 0 {
		return "", false
	}
	return all[a.random.IntN(len(all))], true
}

func (a *agency) add(target string, o modelOrder) {
	a.t.Helper()
	next := a.book.orders.clone()
	next.add(target, o)
	if o.monitor {
		target += " status=monitor"
	}
	a.addAll(next, o, target)
}

// addAll adds targets, all with the same order. An order that has expired can only be imported.
func (a *agency) addAll(next state, o modelOrder, targets ...string) {
	a.t.Helper()
	if o.expires == expired {
		a.importAs(next, o, targets)
		return
	}
	a.change(exitDone, next, o.ref, slices.Concat([]string{"add", "--ref", o.ref}, dated(o.expires), targets)...)
}

// monitorListed gives a listed target a further order that only monitors.
func (a *agency) monitorListed() {
	a.t.Helper()
	if target, ok := a.listed(); ok {
		a.add(target, modelOrder{ref: "watch", monitor: true})
	}
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
	targets, o, next := a.some(6), modelOrder{ref: a.ref(), expires: a.expiry()}, a.book.orders.clone()
	for _, target := range targets {
		next.add(target, o)
	}
	a.addAll(next, o, targets...)
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
	targets, o, next := a.some(16), modelOrder{ref: a.ref(), expires: a.expiry()}, a.book.orders.clone()
	for _, target := range targets {
		next.add(target, o)
	}
	a.importAs(next, o, targets)
}

// replace imports the full list of a feed.
func (a *agency) replace() {
	a.t.Helper()
	targets, o, next := a.some(12), modelOrder{ref: "feed", expires: a.expiry()}, a.book.orders.clone()
	for _, target := range slices.Collect(maps.Keys(next)) {
		if !slices.Contains(targets, target) {
			next.withdraw(target, has(o.ref))
		}
	}
	for _, target := range targets {
		next.set(target, o)
	}
	a.importAs(next, o, targets, "--replace")
}

// importAs imports a file of targets, all with the same order.
func (a *agency) importAs(next state, o modelOrder, targets []string, flags ...string) {
	a.t.Helper()
	a.writeList(targets)
	command := []string{"import", a.path("hq", "list.txt"), "--ref", o.ref, "--format", "argine"}
	a.change(exitDone, next, o.ref, slices.Concat(command, dated(o.expires), flags)...)
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
	name := a.requestOrder()
	a.orderedBy = a.two()[0]
	a.pushOrder(name, a.orderedBy)
}

// requestOrder writes a request for an urgent order, and returns its name.
func (a *agency) requestOrder() string {
	a.t.Helper()
	a.names++
	name := fmt.Sprintf("urgent%d.example", a.names)
	a.ledger(0, append([]string{"urgent", "add", name, "--ref", "night", "--request", a.path("hq", "request")}, a.recipients()...)...)
	return name
}

// pushOrder has an officer sign the requested urgent order, and pushes it.
func (a *agency) pushOrder(name, officer string) {
	a.t.Helper()
	a.ledger(0, "sign", "--signature", a.sign(exitDone, officer))
	a.ledger(0, "urgent", "push", a.origin())
	a.urgent = append(a.urgent, name)
	a.head = a.newest()
	a.compare("current")
}

// changeSubscribers adds or removes a subscriber of a confidential list, who never asks for it.
func (a *agency) changeSubscribers() {
	a.t.Helper()
	if strings.Contains(a.ledger(0, "subscriber", "list"), "idle.example") {
		a.ledger(0, "subscriber", "remove", "idle.example", "--reason", "left")
	} else {
		a.ledger(0, "subscriber", "add", "idle.example", a.path("idle", "isp.pub"), "--reason", "came")
	}
	a.head, a.rekeyed = a.newest(), true
}
