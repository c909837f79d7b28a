package desk

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/report"
)

// reportsPage has the months of the list's history, newest first, with links to their reports.
type reportsPage struct{ Months []string }

// maxMonths is the maximum number of months on the page.
const maxMonths = 60

func (v *visit) reports() error {
	begun, err := v.ledger.Operation(v.r.Context(), "1")
	if err != nil {
		return err
	}
	var p reportsPage
	first := firstOfMonth(begun.Time)
	for m := firstOfMonth(time.Now()); !m.Before(first) && len(p.Months) < maxMonths; m = m.AddDate(0, -1, 0) {
		p.Months = append(p.Months, m.Format("2006-01"))
	}
	return v.show("reports", "reports.title", p)
}

func firstOfMonth(t time.Time) time.Time {
	year, month, _ := t.UTC().Date()
	return time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
}

// report shows the report about a month, as a page to print.
func (v *visit) report() error {
	month, err := time.Parse("2006-01", v.r.PathValue("month"))
	if err != nil {
		return fmt.Errorf("month %.40q: %w: a month such as 2026-10 is needed", v.r.PathValue("month"), blocklist.ErrMalformed)
	}
	o := v.reportOptions()
	var b bytes.Buffer
	if err := report.Month(v.r.Context(), &b, v.ledger, month, o); err != nil {
		return err
	}
	return v.showReport(b.Bytes(), o.Language)
}

// peoplePage has the people and their roles.
type peoplePage struct {
	table[person]
	Roles []string
}

func (v *visit) people() error {
	var all []person
	for _, name := range slices.Sorted(maps.Keys(v.now.roles)) {
		all = append(all, person{Name: name, Role: v.now.roles[name]})
	}
	p := peoplePage{Roles: publish.Roles()}
	var err error
	p.table, err = newTable(v.r.URL, all, "name", map[string]column[person]{
		"name": func(a, b person) int { return cmp.Compare(a.Name, b.Name) },
		"role": func(a, b person) int { return cmp.Compare(a.Role, b.Role) },
	})
	if err != nil {
		return err
	}
	return v.show("people", "people.title", p)
}
