package desk

import (
	"crypto/rand"
	"net/url"
	"strings"
	"sync"
)

// draft is a filled-in form that a person has sent or left. The page that shows it again has its own URL, so it
// survives Back, a reload, and a change of the language.
type draft struct {
	fields url.Values
	notice notice
	result any // of sending the form; nil: sending it has changed nothing
}

// notice is a message on a page about a form.
type notice struct {
	Key   string // of a text; empty: there is no message
	Err   error  // the reason; nil: the text already says it
	Field string // name of the field that the message is about; empty: none
}

// maxDrafts is the maximum number of drafts that are kept for a person. Each is at most [maxBody] long.
const maxDrafts = 32

// drafts has the drafts of all people. They are lost when the desk ends, but the browser keeps what was typed, see
// desk.js.
type drafts struct {
	mu sync.Mutex
	of map[string][]namedDraft // by person, oldest first
}

type namedDraft struct {
	name string
	draft
}

// keep stores a draft of a person, and returns a name for it.
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

// find returns the draft of a person with this name, or an empty draft if there is none.
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

// draft returns the draft that the URL names.
func (v *visit) draft() draft {
	return v.drafts.find(v.person.Name, v.r.URL.Query().Get(draftQuery))
}

// leadTo keeps the form that was sent as a draft, and redirects to the page that shows the draft.
func (v *visit) leadTo(page string, n notice, result any) error {
	name := v.drafts.keep(v.person.Name, draft{v.r.PostForm, n, result})
	return v.redirect(withQuery(parsed(page), draftQuery, name), nil)
}

// value returns the value of a form field: from the draft, if the URL names one, or else from the request.
func (v *visit) value(key string) string {
	text := v.r.FormValue(key)
	if d := v.draft(); d.fields != nil {
		text = d.fields.Get(key)
	}
	return strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n")) // a browser ends lines with CR and LF
}

// typedField is a hidden field. A form that has it is kept when its page is left.
const typedField = "typed"
