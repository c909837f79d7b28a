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
	"github.com/argine-dns/argine/blocklist/guard"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/proposal"
	"github.com/argine-dns/argine/blocklist/publish/words"
)

// views has the parsed templates of all pages, for each combination of language and time zone.
type views struct {
	assets assets
	pages  template.FuncMap // template functions that only some pages use

	mu   sync.Mutex
	made map[viewKey]map[string]*template.Template
}

type viewKey struct {
	language, zone string
}

// maxViews is the maximum number of combinations of language and time zone whose templates are cached.
const maxViews = 64

func newViews(l languages, a assets, pages template.FuncMap) (*views, error) {
	v := &views{assets: a, pages: pages, made: map[viewKey]map[string]*template.Template{}}
	for _, w := range l.all {
		if _, err := v.get(w, time.UTC); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// get returns the templates of all pages for a language and a time zone.
func (v *views) get(w *words.Words, zone *time.Location) (map[string]*template.Template, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	key := viewKey{w.Language, zone.String()}
	if pages := v.made[key]; pages != nil {
		return pages, nil
	}
	pages, err := v.parse(w, zone)
	if err != nil {
		return nil, err
	}
	if len(v.made) >= maxViews {
		clear(v.made)
	}
	v.made[key] = pages
	return pages, nil
}

func (v *views) parse(w *words.Words, zone *time.Location) (map[string]*template.Template, error) {
	shared := template.New("").Funcs(v.pages).Funcs(v.funcs(w, zone))
	if err := parseInto(shared, w, "templates/shared/*.html"); err != nil {
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
			err = parseInto(page, w, name)
		}
		if err != nil {
			return nil, err
		}
		pages[strings.TrimSuffix(path.Base(name), ".html")] = page
	}
	return pages, nil
}

// fixedText matches an action in a template that inserts a text of the catalogue without any data.
var fixedText = regexp.MustCompile(`{{t "([^"]+)"}}`)

// parseInto parses files into a template. It inserts the fixed texts of the language while parsing, so that they are
// not looked up again for each page.
func parseInto(t *template.Template, w *words.Words, pattern string) error {
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
			return []byte(template.HTMLEscapeString(w.Text(string(fixedText.FindSubmatch(action)[1]))))
		})
		if _, err := t.New(path.Base(name)).Parse(string(text)); err != nil {
			return err
		}
	}
	return nil
}

// funcs returns the functions of all templates for a language and a time zone.
func (v *views) funcs(w *words.Words, zone *time.Location) template.FuncMap {
	return template.FuncMap{
		"t": w.Text, "asset": v.assets.url, "languages": words.Languages, "attributes": attributes, "reason": w.Reason, "stated": w.Reference, "say": w.Say,
		"recorded": func(s proposal.DetailedStep) publish.Operation {
			return publish.Operation{Reason: s.Reason, Reference: s.Reference}
		},
		"count":  func(key string, n any) string { return w.Count(key, whole(n)) },
		"num":    func(n any) string { return w.Number(whole(n)) },
		"time":   func(at time.Time) template.HTML { return timeElement(at, w.Minute, "at", zone) },
		"second": func(at time.Time) template.HTML { return timeElement(at, w.Second, "at second", zone) },
		"day":    func(at time.Time) template.HTML { return dayElement(at, w, zone) },
		"clock":  func(until, now time.Time) template.HTML { return clock(until, now, w) }, "took": w.Took,
		"why": func(err error) string { return whyText(w, err) }, "saysall": saysAll, "linesof": linesOf, "scope": scopeOf, "ispage": isPage, "site": siteOf, "finding": func(f guard.Finding) string { return findingText(w, f) },
		"join":  func(texts []string) string { return strings.Join(texts, ", ") },
		"short": func(text string) string { return text[:min(len(text), 12)] },
	}
}

// whole converts an int, int64 or uint64 to uint64. It returns 0 for a negative number or any other type.
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

// timeElement returns a time as an HTML element, written in the given zone. If the person has not chosen a zone, the
// script of the page writes it in the browser's zone.
func timeElement(at time.Time, write func(time.Time) string, class string, zone *time.Location) template.HTML {
	if at.IsZero() {
		return "–"
	}
	shown := write(at.In(zone)) + at.In(zone).Format(" MST")
	return template.HTML(fmt.Sprintf(`<time class="%s" datetime="%s">%s</time>`, class, at.UTC().Format(time.RFC3339), shown)) //nolint:gosec // digits
}

// dayElement returns a day as an HTML element. Days are in UTC, as in entries. A time within a day, such as the end of
// an urgent order, is shown with its hour.
func dayElement(at time.Time, w *words.Words, zone *time.Location) template.HTML {
	if at = at.UTC(); !at.Equal(at.Truncate(24 * time.Hour)) {
		return timeElement(at, w.Minute, "at", zone)
	}
	if at.IsZero() {
		return "–"
	}
	return template.HTML(fmt.Sprintf(`<time datetime="%s">%s</time>`, at.Format(time.DateOnly), w.Day(at))) //nolint:gosec // as above
}

// attributes returns the attributes of an entry as text: the part of its line after the target.
func attributes(e blocklist.Entry) string {
	return strings.TrimSpace(strings.TrimPrefix(e.String(), e.Target()))
}

// clock returns the time that is left until a moment as an HTML element. The script of the page counts it down.
func clock(until, now time.Time, w *words.Words) template.HTML {
	left := max(until.Sub(now), 0)
	return template.HTML(fmt.Sprintf(`<time data-until="%s">%s</time>`, until.UTC().Format(time.RFC3339), w.Took(left))) //nolint:gosec // digits
}
