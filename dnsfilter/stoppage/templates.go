package stoppage

import (
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/text/language"

	"github.com/argine-dns/argine/blocklist"
)

//go:embed templates/*.html
var builtIn embed.FS

// maxTemplate is the maximum size of a template file, and maxPage the maximum size of a rendered page, both in bytes.
// The constant maxLanguages is the maximum number of languages.
const (
	maxTemplate  = 64 << 10
	maxPage      = 64 << 10
	maxLanguages = 50
)

// layout is the file of the template that the pages in all languages share.
const layout = "page.html"

// Page is the data that a template can show.
type Page struct {
	Language string // language of the page, a BCP 47 tag
	Blocked  bool   // the name is blocked; false: the neutral page, which has Host and Operator only
	Legal    bool   // the name is blocked by order of an authority
	// Host is the name in the request, in ASCII. Conditions can't use it, since it is inserted after the template was
	// executed.
	Host              string
	List              string // list or quorum that decided
	Authority         string // authority behind the list; empty: the list has no notice
	AuthorityLanguage string // language of Authority and Reference; empty: unknown
	Reference         string // reference of the entry; empty: it has none, or the list has no notice
	Contacts          []Contact
	Operator          string // URL of the operator's page about blocking; empty: none
}

// Contact is a mailto: or tel: URI for complaints about a block.
type Contact struct {
	URL  template.URL
	Text string // the URI without its scheme
}

// Templates has the templates of the stop page, one for each language.
type Templates struct {
	languages []string // names of the languages; the constant fallback comes first, and the others are sorted
	pages     []*template.Template
	matcher   language.Matcher
}

// LoadTemplates reads the HTML templates in a folder. The file page.html is the layout. Each language has a file named
// by its tag, such as it.html for Italian, with the parts title, blocked and unknown. For files that the folder lacks,
// it uses the built-in ones; an empty path means the built-in templates alone. It ignores files of other types. It
// returns an error if a template can't be parsed or executed.
func LoadTemplates(folder string) (*Templates, error) {
	inside, err := fs.Sub(builtIn, "templates")
	if err != nil {
		return nil, err
	}
	texts := map[string]string{}
	sources := []fs.FS{inside}
	if folder != "" {
		sources = append(sources, os.DirFS(folder))
	}
	for _, source := range sources {
		if err := readTemplates(source, texts); err != nil {
			return nil, fmt.Errorf("templates of the stop page: folder %s: %w", folder, err)
		}
	}
	t, err := parseTemplates(texts)
	if err != nil {
		return nil, fmt.Errorf("templates of the stop page: %w", err)
	}
	return t, nil
}

// readTemplates reads the HTML files in a folder, and adds them to the argument texts, by file name.
func readTemplates(source fs.FS, texts map[string]string) error {
	files, err := fs.ReadDir(source, ".")
	if err != nil {
		return err
	}
	for _, f := range files {
		if path.Ext(f.Name()) != ".html" {
			continue
		}
		text, err := readTemplate(source, f.Name())
		if err != nil {
			return fmt.Errorf("file %s: %w", f.Name(), err)
		}
		texts[f.Name()] = text
	}
	if len(texts) > maxLanguages+1 {
		return fmt.Errorf("%w: more than %d languages", blocklist.ErrTooLarge, maxLanguages)
	}
	return nil
}

func readTemplate(source fs.FS, name string) (string, error) {
	info, err := fs.Stat(source, name)
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%w: it is no regular file", blocklist.ErrMalformed)
	}
	f, err := source.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(io.LimitReader(f, maxTemplate+1))
	if err == nil && len(text) > maxTemplate {
		err = fmt.Errorf("%w: more than %d KiB", blocklist.ErrTooLarge, maxTemplate>>10)
	}
	return string(text), err
}

// fallback is the language of the page if there are templates neither for a language of the visitor nor for that of the
// notice.
const fallback = "en"

func parseTemplates(texts map[string]string) (*Templates, error) {
	base, err := template.New(layout).Parse(texts[layout])
	if err != nil {
		return nil, err
	}
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(texts)), func(name string) bool {
		return name == layout || name == fallback+".html"
	})
	t := new(Templates)
	var tags []language.Tag
	for _, name := range append([]string{fallback + ".html"}, names...) {
		word := strings.TrimSuffix(name, ".html")
		tag, err := language.Parse(word)
		if err != nil {
			return nil, fmt.Errorf("file %s: %w: name it like it.html, by a language, or %s, the layout", name, blocklist.ErrMalformed, layout)
		}
		page, err := template.Must(base.Clone()).New(name).Parse(texts[name])
		if err != nil {
			return nil, err
		}
		tags, t.languages, t.pages = append(tags, tag), append(t.languages, word), append(t.pages, page.Lookup(layout))
	}
	t.matcher = language.NewMatcher(tags)
	return t, t.check()
}

// check executes the templates of all languages with complete and with empty pages. It returns the first error.
func (t *Templates) check() error {
	full := Page{
		Blocked: true, List: "it.example/list", Authority: strings.Repeat("Authority ", 10), AuthorityLanguage: "en",
		Reference: strings.Repeat("reference ", 10), Contacts: []Contact{newContact("mailto:abuse@example.org")},
		Operator: "https://isp.example/",
	}
	legal := full
	legal.Legal = true
	for i, name := range t.languages {
		for _, p := range []Page{full, legal, {Blocked: true}, {Blocked: true, Legal: true}, {Operator: full.Operator}, {}} {
			if _, err := t.render(i, p); err != nil {
				return fmt.Errorf("language %s: %w", name, err)
			}
		}
	}
	return nil
}

// hostMark is the placeholder for the host in a rendered page. It consists of letters, which html/template never
// escapes.
const hostMark = "ARGINESTOPPAGEHOST"

// render executes the template of language i.
func (t *Templates) render(i int, p Page) (string, error) {
	p.Language, p.Host = t.languages[i], hostMark
	var out limitedBuilder
	if err := t.pages[i].Execute(&out, p); err != nil {
		return "", err
	}
	return out.String(), nil
}

var errLongPage = errors.New("the page is longer than 64 KiB")

// limitedBuilder is a strings.Builder that takes at most maxPage bytes.
type limitedBuilder struct{ strings.Builder }

// Write implements [io.Writer]. It returns errLongPage if the page would be too long.
func (b *limitedBuilder) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxPage {
		return 0, errLongPage
	}
	return b.Builder.Write(p)
}

// match returns the index of the best language for a page. The argument accept is the header Accept-Language of the
// visitor. The argument authority is the language of the notice; it is used if there is no template for a language of
// the visitor. If there is none for authority either, match returns the index of fallback.
func (t *Templates) match(accept, authority string) int {
	for _, wanted := range []string{accept, authority} {
		tags, _, err := language.ParseAcceptLanguage(wanted)
		if err != nil {
			continue
		}
		if _, i, confidence := t.matcher.Match(tags...); confidence != language.No {
			return i
		}
	}
	return 0
}

func newContact(uri string) Contact {
	_, text, _ := strings.Cut(uri, ":")
	text, _, _ = strings.Cut(text, "?")
	return Contact{template.URL(uri), text} //nolint:gosec // the settings allow mailto: and tel: only, and attributes are escaped
}
