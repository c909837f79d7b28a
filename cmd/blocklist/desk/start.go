package desk

import "github.com/argine-dns/argine/blocklist/publish"

// startPage is the first page: the tasks that wait for the person, those that wait for other people, and the last
// operations.
type startPage struct {
	Refusals []publish.Refusal
	Tasks    []task
	Others   []task
	Recent   []logged // last operations, newest first

	Published published // serial that the person has just pushed; 0: none
}

// maxRecent is the number of operations on the first page.
const maxRecent = 8

func (v *visit) start() error {
	recent, err := v.log(publish.LogFilter{Last: maxRecent})
	if err != nil {
		return err
	}
	p := startPage{Recent: recent, Refusals: v.now.refusals}
	p.Tasks, p.Others = v.tasks()
	p.Published, _ = v.draft().result.(published)
	return v.show("start", "start.title", p)
}
