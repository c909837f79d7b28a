package desk

import (
	"crypto/rand"
	"net/url"
	"strings"
	"sync"
)

// draft is a form that a person has sent or left, as it was filled in. The page that shows it has a URL of its own, so
// that Back, a reload and a change of the language lead to it again.
type draft struct {
	fields url.Values
	notice notice
	result any // of a form that has done something; nil: it has not
}

// notice is what a page says about a form.
type notice struct {
	Key   string // of a text; empty: there is nothing to say
	Err   error  // why it is so; nil: the text says it
	Field string // name of the field that it is about; empty: none
}

// maxDrafts is how many drafts of a person are kept. Each is at most [maxBody] long.
const maxDrafts = 32

// drafts are those of all people. They end with the desk; the browser keeps what was typed, see desk.js.
type drafts struct {
	mu sync.Mutex
	of map[string][]namedDraft // by person, oldest first
}

type namedDraft struct {
	name string
	draft
}

// keep returns the name that a draft gets.
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

// find returns a draft of a person, an empty one if there is none with the name.
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

// leadTo keeps the form that was sent, and leads to the page that shows it.
func (v *visit) leadTo(page string, n notice, result any) error {
	name := v.drafts.keep(v.person.Name, draft{v.r.PostForm, n, result})
	return v.redirect(withQuery(parsed(page), draftQuery, name), nil)
}

// value returns a field of the form: from the draft, or else as the request has it.
func (v *visit) value(key string) string {
	text := v.r.FormValue(key)
	if d := v.draft(); d.fields != nil {
		text = d.fields.Get(key)
	}
	return strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n")) // a browser ends lines with CR and LF
}

// typedField is a field of each form that is kept when its page is left.
const typedField = "typed"
