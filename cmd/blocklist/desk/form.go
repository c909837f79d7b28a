package desk

import (
	"fmt"
	"html/template"
	"net/http"
	"slices"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
)

// parseForm parses the form of a request. It fails with [blocklist.ErrMalformed] if the form is not encoded as it must
// be.
func parseForm(r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return fmt.Errorf("reading the form: %w: %w", blocklist.ErrMalformed, err)
	}
	return nil
}

// changeForm has the fields of a form for a change, as they were typed. A link can fill in the form: its query has the
// names of the fields.
type changeForm struct {
	Verb      string // add or withdraw
	Entries   string // entries, one per line
	Category  string
	Reference string // reference of the orders to be added or withdrawn
	Decision  string // for withdraw: reference of the decision to withdraw
	Reason    string
	Expires   string // day of the expiry
	Review    string // day of the review
	Monitor   bool
	Override  string // reason to list entries that the guards hold

	Rules    publish.Rules
	Required []string // names of the fields that the rules require
	Kept     []string // names of the fields that, if they are empty, leave what was proposed
	Bad      string   // name of the field that an error is about; empty: none
}

// Keeps reports whether a field, if it is empty, leaves what was proposed.
func (f changeForm) Keeps(field string) bool { return slices.Contains(f.Kept, field) }

// markField returns the HTML attributes that mark a field as wrong, if an error is about that field.
func markField(f changeForm, field string) template.HTMLAttr {
	if f.Bad != field {
		return ""
	}
	return ` aria-invalid="true" aria-describedby="problem" autofocus`
}
