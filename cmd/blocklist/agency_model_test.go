package main

import (
	"maps"
	"slices"
)

// The model of the agency walk: what each entry rests on, as the handbook says it.

// modelOrder is a standing order: its reference, its expiry or nothing, and whether it only monitors.
type modelOrder struct {
	ref, expires string
	monitor      bool
}

const expired = "2020-01-02"

// expiries are the expiries of orders, the earliest first. Nothing is never.
func expiries() []string {
	return []string{expired, "2097-03-01", "2098-05-01", "2098-05-02", "2099-05-01", ""}
}

func (o modelOrder) line(target string) string {
	line := target + " ref=" + o.ref
	if o.expires != "" {
		line += " expires=" + o.expires
	}
	if o.monitor {
		line += " status=monitor"
	}
	return line
}

// outranks reports whether the line of o is published in place of that of an older order.
func (o modelOrder) outranks(older modelOrder) bool {
	if o.monitor != older.monitor {
		return older.monitor
	}
	return slices.Index(expiries(), o.expires) > slices.Index(expiries(), older.expires)
}

// state has the orders of each listed target, oldest first.
type state map[string][]modelOrder

func (s state) clone() state {
	c := state{}
	for target, orders := range s {
		c[target] = slices.Clone(orders)
	}
	return c
}

// published returns the line of the list: that of an order that blocks, if there is one; of these the one that stands
// longest; and of these the oldest.
func (s state) published(target string) string {
	orders := s[target]
	if len(orders) == 0 {
		return ""
	}
	best := orders[0]
	for _, o := range orders[1:] {
		if o.outranks(best) {
			best = o
		}
	}
	return best.line(target)
}

func (s state) lines() (all []string) {
	for target := range s {
		all = append(all, s.published(target))
	}
	slices.Sort(all)
	return all
}

func (s state) find(target, ref string) (modelOrder, bool) {
	i := slices.IndexFunc(s[target], func(o modelOrder) bool { return o.ref == ref })
	if i < 0 {
		return modelOrder{}, false
	}
	return s[target][i], true
}

// set gives an order, in place of the one with its reference.
func (s state) set(target string, o modelOrder) {
	for i, standing := range s[target] {
		if standing.ref == o.ref {
			s[target][i] = o
			return
		}
	}
	s[target] = append(s[target], o)
}

// add is set, but an expiry that is not given stays.
func (s state) add(target string, o modelOrder) {
	if standing, ok := s.find(target, o.ref); ok && o.expires == "" {
		o.expires = standing.expires
	}
	s.set(target, o)
}

// withdraw withdraws the orders that go.
func (s state) withdraw(target string, goes func(modelOrder) bool) {
	s[target] = slices.DeleteFunc(s[target], goes)
	if len(s[target]) == 0 {
		delete(s, target)
	}
}

// withdrawAll withdraws the orders that go from all targets.
func (s state) withdrawAll(goes func(modelOrder) bool) {
	for _, target := range slices.Collect(maps.Keys(s)) {
		s.withdraw(target, goes)
	}
}

func has(ref string) func(modelOrder) bool  { return func(o modelOrder) bool { return o.ref == ref } }
func hasExpired(o modelOrder) bool          { return o.expires == expired }
func every(modelOrder) bool                 { return true }
func (s state) same(b state, t string) bool { return slices.Equal(s[t], b[t]) }

// event is an operation that changed the orders of a target.
type event struct {
	id          int64
	author, ref string
	serial      uint64 // of the first release with it; 0: none yet
}

// change is an operation with the states before and after it.
type change struct {
	id            int64
	before, after state
}

// book is the ledger as it should be.
type book struct {
	orders  state
	events  map[string][]event
	changes []change // those that can be undone
}

func (b *book) clone() *book {
	c := &book{orders: b.orders.clone(), events: map[string][]event{}}
	for target, events := range b.events {
		c.events[target] = slices.Clone(events)
	}
	return c
}

// changed returns the targets whose orders differ from those in next.
func (b *book) changed(next state) (targets []string) {
	for target := range b.orders {
		if !b.orders.same(next, target) {
			targets = append(targets, target)
		}
	}
	for target := range next {
		if len(b.orders[target]) == 0 {
			targets = append(targets, target)
		}
	}
	return targets
}

// record makes next the state, by an operation.
func (b *book) record(next state, by event) {
	for _, target := range b.changed(next) {
		b.events[target] = append(b.events[target], by)
	}
	b.changes = append(b.changes, change{by.id, b.orders, next})
	b.orders = next
}

// released gives the events without a release their serial.
func (b *book) released(serial uint64) {
	for _, events := range b.events {
		for i := range events {
			if events[i].serial == 0 {
				events[i].serial = serial
			}
		}
	}
}

// undo returns the state without what a change did to orders, and false if one of them is not as the change left it.
func (b *book) undo(c change) (next state, ok bool) {
	next = b.orders.clone()
	for _, target := range (&book{orders: c.before}).changed(c.after) {
		for _, left := range c.after[target] {
			if was, stood := c.before.find(target, left.ref); stood && was == left {
				continue
			}
			if now, stands := b.orders.find(target, left.ref); !stands || now != left {
				return nil, false
			}
			if _, stood := c.before.find(target, left.ref); !stood {
				next.withdraw(target, has(left.ref))
			}
		}
		for _, was := range c.before[target] {
			left, stayed := c.after.find(target, was.ref)
			if stayed && left == was {
				continue
			}
			if _, stands := b.orders.find(target, was.ref); stands != stayed {
				return nil, false
			}
			next.set(target, was)
		}
	}
	return next, true
}

// recovered returns what a recovery makes of a restored book: where the published line is another one than that of the
// release, this is the only order.
func (b *book) recovered(release state) state {
	next := b.orders.clone()
	for target := range b.orders {
		if len(release[target]) == 0 {
			delete(next, target)
		}
	}
	for target := range release {
		line := release.published(target)
		if line == b.orders.published(target) {
			continue
		}
		i := slices.IndexFunc(release[target], func(o modelOrder) bool { return o.line(target) == line })
		next[target] = []modelOrder{release[target][i]}
	}
	return next
}
