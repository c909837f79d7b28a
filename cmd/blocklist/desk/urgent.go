package desk

import (
	"errors"
	"net/http"
	"time"

	"github.com/argine-dns/argine/blocklist/publish"
)

// urgentPage has the urgent orders in force, and those that wait for a signature.
type urgentPage struct {
	publish.UrgentList
	Waiting *publish.Pending
	Now     time.Time
	Form    changeForm
	Notice  notice
}

// IsForm reports whether the page may have a form.
func (urgentPage) IsForm() bool { return true }

func (v *visit) urgent() error {
	p, err := v.urgentPage()
	status := http.StatusOK
	if p.Notice.Err != nil {
		status = failureOf(p.Notice.Err).status
	}
	if err == nil {
		err = v.write(status, "urgent", "urgent.title", p)
	}
	if err == nil {
		v.answer.lasts = clockFor
	}
	return err
}

func (v *visit) urgentPage() (p urgentPage, err error) {
	p.Now, p.Form, p.Notice = time.Now(), v.changeForm("add"), v.draft().notice
	if v.now.Root == nil {
		return p, nil
	}
	if p.UrgentList, err = v.ledger.Urgent(v.r.Context()); err != nil {
		return p, err
	}
	p.Waiting, err = v.ledger.PendingUrgent(v.r.Context())
	if errors.Is(err, publish.ErrNothingPending) {
		p.Waiting, err = nil, nil
	}
	return p, err
}

// askUrgent makes urgent orders that wait for one officer's signature.
func (v *visit) askUrgent() error {
	f := v.changeForm("add")
	_, entries, err := f.parse()
	if err == nil {
		by := publish.Audit{Author: v.person.Name, Reason: f.Reason, Reference: f.Reference}
		_, err = v.ledger.PrepareUrgent(v.r.Context(), publish.UrgentChange{Add: entries}, by)
	}
	if err != nil && failureOf(err).status < http.StatusInternalServerError {
		return v.leadTo("/urgent", notice{Key: "fail.unsent", Err: err}, nil)
	}
	return v.then(err, "/urgent")
}
