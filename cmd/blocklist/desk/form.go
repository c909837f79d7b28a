package desk

import (
	"html/template"

	"github.com/argine-dns/argine/blocklist/publish"
)

// changeForm has the fields of a form for a change, as they were typed. A link can fill in the form: the query of a URL
// has the same field names.
type changeForm struct {
	Verb      string // add or withdraw
	Entries   string // one a line
	Category  string
	Reference string // of the orders that add gives, or that withdraw withdraws
	Decision  string // of withdraw: the reference of the decision to withdraw
	Reason    string
	Expires   string // a day
	Review    string // a day
	Monitor   bool
	Override  string // why entries that the guards hold are listed

	Rules    publish.Rules
	Required []string // names of the fields that the rules ask for
	Bad      string   // name of the field that an error is about; empty: none
}

// markField returns the attributes of a field, if an error is about it.
func markField(f changeForm, field string) template.HTMLAttr {
	if f.Bad != field {
		return ""
	}
	return ` aria-invalid="true" aria-describedby="problem" autofocus`
}
