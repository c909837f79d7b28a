package desk

import "github.com/argine-dns/argine/blocklist/publish"

// startPage has the tasks that wait for the person, those that wait for others, and the last operations.
type startPage struct {
	Tasks  []task
	Others []task
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
	p := startPage{Recent: recent}
	p.Tasks, p.Others = v.tasks()
	p.Published, _ = v.draft().result.(published)
	return v.show("start", "start.title", p)
}
