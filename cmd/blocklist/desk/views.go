package desk

import (
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
)

// views are the templates of all pages, with the functions of a language and a time zone.
type views struct {
	words  words
	assets assets
	pages  template.FuncMap // functions of single pages

	mu   sync.Mutex
	made map[viewKey]map[string]*template.Template
}

type viewKey struct {
	lang int
	zone string
}

// maxViews is how many combinations of languages and zones are kept.
const maxViews = 64

func newViews(w words, a assets, pages template.FuncMap) (*views, error) {
	v := &views{words: w, assets: a, pages: pages, made: map[viewKey]map[string]*template.Template{}}
	for lang := range languages() {
		if _, err := v.get(lang, time.UTC); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// get returns the templates of all pages.
func (v *views) get(lang int, zone *time.Location) (map[string]*template.Template, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	key := viewKey{lang, zone.String()}
	if pages := v.made[key]; pages != nil {
		return pages, nil
	}
	pages, err := v.parse(lang, zone)
	if err != nil {
		return nil, err
	}
	if len(v.made) >= maxViews {
		clear(v.made)
	}
	v.made[key] = pages
	return pages, nil
}

func (v *views) parse(lang int, zone *time.Location) (map[string]*template.Template, error) {
	shared := template.New("").Funcs(v.pages).Funcs(v.funcs(lang, zone))
	if err := v.parseInto(shared, lang, "templates/shared/*.html"); err != nil {
		return nil, err
	}
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return nil, err
	}
	pages := map[string]*template.Template{}
	for _, name := range names {
		page, err := shared.Clone()
		if err == nil {
			err = v.parseInto(page, lang, name)
		}
		if err != nil {
			return nil, err
		}
		pages[strings.TrimSuffix(path.Base(name), ".html")] = page
	}
	return pages, nil
}

// fixedText is a text of the catalogue, in a template, that depends on the language alone.
var fixedText = regexp.MustCompile(`{{t "([^"]+)"}}`)

// parseInto parses files into a template. Fixed texts are put in their places here, once for each language, and not in
// each row of each page.
func (v *views) parseInto(t *template.Template, lang int, pattern string) error {
	names, err := fs.Glob(files, pattern)
	if err != nil {
		return err
	}
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		text = fixedText.ReplaceAllFunc(text, func(action []byte) []byte {
			return []byte(template.HTMLEscapeString(v.words.text(lang, string(fixedText.FindSubmatch(action)[1]))))
		})
		if _, err := t.New(path.Base(name)).Parse(string(text)); err != nil {
			return err
		}
	}
	return nil
}

// funcs are the functions of all templates.
func (v *views) funcs(lang int, zone *time.Location) template.FuncMap {
	t := func(key string, args ...any) string { return v.words.text(lang, key, args...) }
	return template.FuncMap{
		"t": t, "asset": v.assets.url, "languages": languages, "attributes": attributes, "reference": publish.StatedReference,
		"count": func(key string, n any) string { return v.words.count(lang, key, whole(n)) },
		"num":   func(n any) string { return number(lang, whole(n)) },
		"time":  func(at time.Time) template.HTML { return timeElement(at, zone, time.DateOnly+" 15:04") },
		"day":   func(at time.Time) template.HTML { return timeElement(at, time.UTC, time.DateOnly) },
		"clock": clock, "took": took, "join": func(texts []string) string { return strings.Join(texts, ", ") },
		"short": func(text string) string { return text[:min(len(text), 12)] },
	}
}

// whole returns a number of any type as one without a sign.
func whole(n any) uint64 {
	switch n := n.(type) {
	case uint64:
		return n
	case int64:
		return uint64(max(n, 0))
	case int:
		return uint64(max(n, 0))
	}
	return 0
}

// timeElement returns a time as an element, which the script of the page writes in the zone of the reader unless they
// have chosen one. Days are those of UTC, as in entries.
func timeElement(at time.Time, zone *time.Location, layout string) template.HTML {
	if at.IsZero() {
		return "–"
	}
	shown := at.In(zone).Format(layout)
	if layout == time.DateOnly {
		return template.HTML(fmt.Sprintf(`<time datetime="%s">%s</time>`, shown, shown)) //nolint:gosec // digits
	}
	if zone == time.UTC {
		shown += " UTC"
	}
	return template.HTML(fmt.Sprintf(`<time class="at" datetime="%s">%s</time>`, at.UTC().Format(time.RFC3339), shown)) //nolint:gosec // as above
}

// attributes returns what the line of an entry has beside the target.
func attributes(e blocklist.Entry) string {
	return strings.TrimSpace(strings.TrimPrefix(e.String(), e.Target()))
}

// clock returns the time until a moment, as an element that the script of the page counts down.
func clock(until, now time.Time) template.HTML {
	left := max(until.Sub(now), 0)
	return template.HTML(fmt.Sprintf(`<time data-until="%s">%s</time>`, until.UTC().Format(time.RFC3339), took(left))) //nolint:gosec // digits
}

// took returns a duration in at most two units.
func took(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	for _, unit := range []struct {
		name, next string
		size, part int64
	}{{"d", "h", 86400, 3600}, {"h", "min", 3600, 60}, {"min", "s", 60, 1}} {
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
