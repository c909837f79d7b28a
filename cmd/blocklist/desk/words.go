package desk

import (
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/text/language"
)

//go:embed words.json templates assets
var files embed.FS

// languages are those of the catalogue, in its order.
func languages() []string { return []string{"en", "it"} }

// words is the catalogue: each text in all languages.
type words struct {
	texts   map[string][]string
	matcher language.Matcher
}

func readWords() (w words, err error) {
	text, err := files.ReadFile("words.json")
	if err != nil {
		return w, err
	}
	if err := json.Unmarshal(text, &w.texts); err != nil {
		return w, fmt.Errorf("reading the catalogue of texts: %w", err)
	}
	w.matcher = language.NewMatcher([]language.Tag{language.English, language.Italian})
	return w, nil
}

// index returns the place of a language, -1 if there is none.
func (words) index(name string) int {
	for i, l := range languages() {
		if l == name {
			return i
		}
	}
	return -1
}

// text returns a text in a language. It has verbs of package fmt if there are arguments.
func (w words) text(lang int, key string, args ...any) string {
	texts := w.texts[key]
	if len(texts) <= lang {
		return key // a test finds it
	}
	if len(args) == 0 {
		return texts[lang]
	}
	return fmt.Sprintf(texts[lang], args...)
}

// count returns a number with the noun that belongs to it. The text has the singular and the plural with a bar between;
// %s is the number, where it is shown.
func (w words) count(lang int, key string, n uint64) string {
	one, many, _ := strings.Cut(w.text(lang, key), "|")
	if n == 1 {
		many = one
	}
	return strings.Replace(many, "%s", number(lang, n), 1)
}

// number returns a number with the separators of a language.
func number(lang int, n uint64) string {
	separator := []string{",", "."}[lang]
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + separator + s[i:]
	}
	return s
}

// language returns the language of a request: the one that was chosen, or else what the browser asks for.
func (w words) language(r *http.Request) int {
	if c, err := r.Cookie(languageCookie); err == nil && w.index(c.Value) >= 0 {
		return w.index(c.Value)
	}
	wanted, _, err := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil {
		return 0
	}
	_, i, confidence := w.matcher.Match(wanted...)
	if confidence == language.No {
		return 0
	}
	return i
}

// Cookies with preferences.
const (
	languageCookie = "desk-language"
	zoneCookie     = "desk-zone"
)
