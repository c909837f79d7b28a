package desk

import (
	"crypto/rand"
	"net/url"
	"strings"
	"sync"
)

// draft is a filled-in form that a person has sent or left. The page with the draft has its own URL, so the typed
// values survive going back, a reload, and a change of the language.
type draft struct {
	fields url.Values
	notice notice
	result any // result of sending the form; nil: nothing was changed
}

// notice is a message above a form.
type notice struct {
	Key   string // key of the message's text; empty: there is no message
	Err   error  // error with the reason; nil: the text is enough
	Field string // name of the field that the message is about; empty: none
}

// maxDrafts is the maximum number of drafts of a person. Each has at most [maxBody] bytes, or [maxDecisions] bytes if
// it has decisions about proposals.
const maxDrafts = 32

// drafts has the drafts of all people. They are lost when the desk ends; but the browser also stores the typed values,
// see desk.js.
type drafts struct {
	mu sync.Mutex
	of map[string][]namedDraft // drafts of each person, oldest first
}

type namedDraft struct {
	name string
	draft
}

// keep stores a draft of a person, and returns its new name. It drops the person's oldest draft if there are too many.
func (d *drafts) keep(person string, kept draft) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.of == nil {
		d.of = map[string][]namedDraft{}
	}
	name, all := rand.Text(), d.of[person]
	d.of[person] = append(all[max(0, len(all)+1-maxDrafts):len(all):len(all)], namedDraft{name, kept})
	return name
}

// find returns the draft of a person with this name. If there is none, it returns an empty draft.
func (d *drafts) find(person, name string) draft {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range d.of[person] {
		if one.name == name {
			return one.draft
		}
	}
	return draft{}
}

// draft returns the draft that the URL of the request names, or an empty draft.
func (v *visit) draft() draft {
	return v.drafts.find(v.person.Name, v.r.URL.Query().Get(draftQuery))
}

// leadTo keeps the sent form as a draft, with a notice and a result, and redirects to the page that shows the draft.
func (v *visit) leadTo(page string, n notice, result any) error {
	name := v.drafts.keep(v.person.Name, draft{v.r.PostForm, n, result})
	return v.redirect(withQuery(parsed(page), draftQuery, name), nil)
}

// value returns the value of a form field: from the draft, if the URL names one, and otherwise from the request.
func (v *visit) value(key string) string {
	text := v.r.FormValue(key)
	if d := v.draft(); d.fields != nil {
		text = d.fields.Get(key)
	}
	return strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n")) // a browser ends lines with CR and LF
}

// typedField is a hidden field of forms. If a person leaves a page whose form has it, the form is kept as a draft.
const typedField = "typed"
