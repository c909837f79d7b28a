package desk

import (
	"html/template"

	"github.com/argine-dns/argine/blocklist/publish"
)

// changeForm has the fields of a change as they were typed. The names of its fields in the form are those of the
// query, so that a link can fill it in.
type changeForm struct {
	Verb      string // add or withdraw
	Entries   string // one a line
	Category  string
	Reference string // of the order: given by add, withdrawn by withdraw
	Decision  string // of withdraw: the reference of the decision
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
