package desk

import (
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
)

// task is something that waits for a person.
type task struct {
	Key    string // of the text
	N      uint64
	Detail string
	Link   string
	Urgent bool
}

// startPage has the tasks that wait for a person, and the last operations.
type startPage struct {
	Tasks  []task
	Recent []logged // newest first

	Published published // serial that the person has just published; 0: none
}

// maxRecent is the number of operations on the first page.
const maxRecent = 8

func (v *visit) start() error {
	recent, err := v.log(publish.LogFilter{Last: maxRecent})
	if err != nil {
		return err
	}
	waiting, err := v.proposalTasks()
	if err != nil {
		return err
	}
	ending, err := v.endingUrgent()
	if err != nil {
		return err
	}
	p := startPage{Tasks: append(v.tasks(ending), waiting...), Recent: recent}
	p.Published, _ = v.draft().result.(published)
	return v.show("start", "start.title", p)
}

// tasks returns the tasks that wait, the most urgent first. Ending is the number of urgent orders that would end and
// need a decision.
func (v *visit) tasks(ending uint64) (all []task) {
	add := func(when bool, t task) {
		if when {
			all = append(all, t)
		}
	}
	s := v.now
	p := s.Pending
	add(s.Ordered != nil, task{Key: "task.ordered", N: 1, Link: "/urgent", Urgent: true})
	add(s.Urgent != nil && !s.Urgent.Pushed, task{Key: "task.urgentpush", N: 1, Link: "/urgent", Urgent: true})
	add(ending > 0, task{Key: "task.urgentend", N: ending, Link: "/urgent", Urgent: true})
	add(p != nil && !p.Enough(), task{Key: "task.sign", N: missing(p), Link: "/pending"})
	add(p != nil && p.IsRelease() && p.Enough(), task{Key: "task.push", N: 1, Link: "/pending"})
	add(s.Root != nil && s.unprepared() > 0, task{Key: "task.release", N: s.unprepared(), Link: "/pending"})
	add(s.Due.Review > 0, task{Key: "task.review", N: s.Due.Review, Link: "/due?what=review"})
	add(s.Due.Expired > 0, task{Key: "task.expired", N: s.Due.Expired, Link: "/due?what=expired"})
	add(s.Due.Expiring > 0, task{Key: "task.expiring", N: s.Due.Expiring, Link: "/due?what=expiring"})
	return all
}

// missing returns how many signatures p still needs; 0 if nothing is pending.
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

// proposalTasks returns the proposals that wait for a first decision, and those that wait for a second person.
func (v *visit) proposalTasks() (all []task, err error) {
	counts, err := proposal.Counts(v.r.Context(), v.ledger)
	number := map[string]uint64{}
	for _, c := range counts {
		number[c.State] += c.Number
	}
	if n := number[proposal.New]; n > 0 {
		all = append(all, task{Key: "task.new", N: n, Link: "/proposals?state=new"})
	}
	if n := number[proposal.Checked]; n > 0 {
		all = append(all, task{Key: "task.checked", N: n, Link: "/proposals?state=checked"})
	}
	return all, err
}
