package desk

import (
	"net/http"

	"golang.org/x/text/language"

	"github.com/argine-dns/argine/blocklist/publish/words"
)

// languages has the languages of the desk's texts.
type languages struct {
	all     map[string]*words.Words
	matcher language.Matcher
}

func readLanguages() (languages, error) {
	l := languages{all: map[string]*words.Words{}}
	var tags []language.Tag
	for _, name := range words.Languages() {
		w, err := words.Read(name)
		if err != nil {
			return l, err
		}
		l.all[name] = w
		tags = append(tags, language.Make(name))
	}
	l.matcher = language.NewMatcher(tags)
	return l, nil
}

// of returns the language for a request: the chosen one, or otherwise the best match for the languages that the browser
// prefers.
func (l languages) of(r *http.Request) *words.Words {
	if c, err := r.Cookie(languageCookie); err == nil && l.all[c.Value] != nil {
		return l.all[c.Value]
	}
	wanted, _, err := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil {
		wanted = nil
	}
	_, i, _ := l.matcher.Match(wanted...) // the first one if none fits
	return l.all[words.Languages()[i]]
}

// Cookies with preferences.
const (
	languageCookie = "desk-language"
	zoneCookie     = "desk-zone"
)
