package desk

import (
	"slices"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
)

// task is something that waits for people: for those with a certain right.
type task struct {
	Key    string // key of the text
	N      uint64
	Link   string
	Urgent bool
	For    right
	Who    []string // people for whom it waits; empty: unknown
}

// badge returns the number that the task adds to the count of its page in the navigation. A release to be made counts
// as one, and an order that has not expired yet does not count.
func (t task) badge() uint64 {
	switch t.Key {
	case "task.release":
		return 1
	case "task.expiring":
		return 0
	}
	return t.N
}

// tasks returns the tasks that wait for the person, and those that wait for other people. Both begin with the most
// urgent task. A document that the person has signed, or a proposal that they have checked, waits for other people.
func (v *visit) tasks() (own, others []task) {
	for _, t := range v.now.tasks(v.person) {
		mine := v.person.may(t.For)
		switch {
		case t.N == 0:
			continue
		case t.Key == "task.sign":
			t.Who, mine = unsigned(v.now.Pending), mine && !v.person.Signed
		case t.Key == "task.second":
			mine, t.Who = false, v.others()
		}
		if mine {
			own = append(own, t)
			continue
		}
		if t.Who == nil {
			t.Who = v.peopleWho(t.For)
		}
		others = append(others, t)
	}
	return own, others
}

// tasks returns all tasks, the most urgent first. It includes tasks with the number 0. The proposals that p has checked
// are a separate task.
func (o *overview) tasks(p person) []task {
	pushable := o.Pending != nil && o.Pending.IsRelease() && o.Pending.Enough()
	checked := o.Proposals[proposal.Checked]
	return []task{
		{Key: "task.ordered", N: one(o.Ordered != nil), Link: "/urgent", Urgent: true, For: sign},
		{Key: "task.urgentpush", N: one(o.Urgent != nil && !o.Urgent.Pushed), Link: "/urgent", Urgent: true, For: decide},
		{Key: "task.urgentend", N: o.ending, Link: "/urgent", Urgent: true, For: change},
		{Key: "task.sign", N: missing(o.Pending), Link: "/pending", For: sign},
		{Key: "task.push", N: one(pushable), Link: "/pending", For: decide},
		{Key: "task.release", N: o.unreleased(), Link: "/pending", For: decide},
		{Key: "task.review", N: o.Due.Review, Link: "/due?what=review", For: change},
		{Key: "task.expired", N: o.Due.Expired, Link: "/due?what=expired", For: change},
		{Key: "task.expiring", N: o.Due.Expiring, Link: "/due?what=expiring", For: change},
		{Key: "task.new", N: o.Proposals[proposal.New], Link: "/proposals?state=new", For: change},
		{Key: "task.checked", N: checked - min(p.Checked, checked), Link: "/proposals?state=checked", For: decide},
		{Key: "task.second", N: p.Checked, Link: "/proposals?state=checked", For: decide},
	}
}

// one returns 1 if the condition is true, and otherwise 0.
func one(condition bool) uint64 {
	if condition {
		return 1
	}
	return 0
}

// unreleased returns the number of changed lines that are in no release yet. It returns 0 if there is no root, since
// nothing can be released then.
func (o *overview) unreleased() uint64 {
	if o.Root == nil {
		return 0
	}
	return o.unprepared()
}

// missing returns the number of signatures that p still needs; 0 if p is nil.
func missing(p *publish.Pending) uint64 {
	if p == nil {
		return 0
	}
	n := max(p.Threshold-len(p.Signed), 0)
	if p.Before != nil {
		n = max(n, p.Before.Threshold-len(p.Before.Signed))
	}
	return uint64(max(n, 0))
}

// unsigned returns the names of the officers who have not signed p.
func unsigned(p *publish.Pending) (names []string) {
	for _, o := range officers(&p.Signatures) {
		if !o.Signed {
			names = append(names, o.Name)
		}
	}
	return names
}

// others returns the names of the people who may confirm what the person has checked. It returns none if the person may
// also confirm: people with the same role share the page, so the page can't leave out the name of its reader.
func (v *visit) others() []string {
	if v.person.may(decide) {
		return []string{}
	}
	return v.peopleWho(decide)
}

// peopleWho returns the names of the people who have a right.
func (v *visit) peopleWho(r right) (names []string) {
	for name, role := range v.now.roles {
		if (person{Role: role}).may(r) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
