// Package words has the texts of the desk (the agency's web application) and of the printable pages, in all their
// languages. They are in one catalogue, words.json. The package also formats numbers, times and durations for a
// language.
package words

import (
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
)

//go:embed words.json
var files embed.FS

// Languages returns the languages of the catalogue, in the order of its columns.
func Languages() []string { return []string{"en", "it"} }

// Words has the texts of one language.
type Words struct {
	Language string // one of [Languages]
	place    int    // index of the language in [Languages]
	texts    map[string][]string
}

// Read returns the texts of a language. It fails with [blocklist.ErrMalformed] if the catalogue does not have the
// language.
func Read(language string) (*Words, error) {
	w := &Words{Language: language, place: slices.Index(Languages(), language)}
	if w.place < 0 {
		return nil, fmt.Errorf("language %.40q: %w: choose one of %s", language, blocklist.ErrMalformed, strings.Join(Languages(), ", "))
	}
	text, err := files.ReadFile("words.json")
	if err == nil {
		err = json.Unmarshal(text, &w.texts)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the catalogue of texts: %w", err)
	}
	return w, nil
}

// Text returns the text with this key, or the key itself if there is no such text. If there are arguments, the text is
// a format of package fmt for them.
func (w *Words) Text(key string, args ...any) string {
	texts := w.texts[key]
	if len(texts) <= w.place {
		return key // a test finds it
	}
	if len(args) == 0 {
		return texts[w.place]
	}
	return fmt.Sprintf(texts[w.place], args...)
}

// Count returns a number with its noun, such as "3 entries". The text with this key has the singular and the plural,
// separated by a bar. In each, %s stands for the number.
func (w *Words) Count(key string, n uint64) string {
	one, many, _ := strings.Cut(w.Text(key), "|")
	if n == 1 {
		many = one
	}
	return strings.Replace(many, "%s", w.Number(n), 1)
}

// Number returns a number with the thousands separators of the language.
func (w *Words) Number(n uint64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + w.Text("form.thousands") + s[i:]
	}
	return s
}

// Day returns the day of a time, in the time's zone.
func (w *Words) Day(t time.Time) string { return t.Format(w.Text("form.day")) }

// Minute returns a time to the minute, in the time's zone.
func (w *Words) Minute(t time.Time) string { return w.Day(t) + t.Format(" 15:04") }

// Second returns a time to the second, in the time's zone.
func (w *Words) Second(t time.Time) string { return w.Day(t) + t.Format(" 15:04:05") }

// Month returns the name of the month of a time, and the year, in the time's zone.
func (w *Words) Month(t time.Time) string {
	names := strings.Split(w.Text("form.months"), "|")
	return names[min(int(t.Month()), len(names))-1] + t.Format(" 2006")
}

// Took returns a duration as text in at most two units, such as "2 h 5 min".
func (w *Words) Took(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	day := w.Text("form.d")
	for _, unit := range []struct {
		name, next string
		size, part int64
	}{{day, "h", 86400, 3600}, {"h", "min", 3600, 60}, {"min", "s", 60, 1}} {
		if s < unit.size {
			continue
		}
		text := fmt.Sprintf("%d %s", s/unit.size, unit.name)
		if rest := s % unit.size / unit.part; rest > 0 {
			text += fmt.Sprintf(" %d %s", rest, unit.next)
		}
		return text
	}
	return fmt.Sprintf("%d s", s)
}
