package desk_test

import (
	"cmp"
	"crypto"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/keys"
	"github.com/argine-dns/argine/blocklist/publish/words"
	"github.com/argine-dns/argine/cmd/blocklist/desk"
)

// agency is a list with its officers, and a desk for it.
type agency struct {
	*publish.Ledger
	dir      string
	officers []crypto.Signer // as many as sign
	server   *httptest.Server
	desk     *desk.Desk
	links    []string // paths that the desk has shown
}

// newAgency makes a list whose root is signed. It has one officer.
func newAgency(t testing.TB) *agency {
	t.Helper()
	return newAgencyOf(t, 1, "anna")
}

// newAgencyOf makes a list with officers, of whom the first ones sign.
func newAgencyOf(t testing.TB, threshold int, officers ...string) *agency {
	t.Helper()
	home := t.TempDir()
	a := &agency{dir: filepath.Join(home, "agency")}
	var public []string
	for i, name := range officers {
		key := filepath.Join(home, name+".key")
		text, err := keys.Generate(key, filepath.Join(home, name+".pub"), name, "")
		require.NoError(t, err)
		public = append(public, text)
		if i < threshold {
			signer, err := keys.Load(key, nil)
			require.NoError(t, err)
			a.officers = append(a.officers, signer)
		}
	}
	online, err := keys.Generate(filepath.Join(home, "online.key"), filepath.Join(home, "online.pub"), "origin", "")
	require.NoError(t, err)
	require.NoError(t, publish.Init(t.Context(), a.dir, publish.InitOptions{
		List: "it.example/test", OriginKey: online, Officers: public, Threshold: threshold, Author: "anna",
		Urgent: publish.UrgentLimits{Entries: 5, Hours: 24},
	}))
	a.Ledger, err = publish.Open(a.dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.Close()) })
	a.sign(t)
	return a
}

// sign has all officers sign what is pending.
func (a *agency) sign(t testing.TB) {
	t.Helper()
	for _, officer := range a.officers {
		a.signBy(t, officer)
	}
}

func (a *agency) signBy(t testing.TB, officer crypto.Signer) {
	t.Helper()
	p, err := a.Pending()
	require.NoError(t, err)
	_, err = a.Sign(t.Context(), p, officer)
	require.NoError(t, err)
}

func (a *agency) list(t testing.TB, lines ...string) {
	t.Helper()
	var all []blocklist.Entry
	for _, line := range lines {
		e, err := blocklist.ParseEntry(line)
		require.NoError(t, err)
		all = append(all, e)
	}
	_, err := a.Add(t.Context(), all, publish.Audit{Author: "carla", Reason: "as ordered", Override: "the guards know no test"})
	require.NoError(t, err)
}

// open starts a desk on loopback. Its user is carla.
func (a *agency) open(t testing.TB, change ...func(*desk.Options)) {
	t.Helper()
	a.serve(t, append([]func(*desk.Options){func(o *desk.Options) {
		o.User, o.Link = "carla", func(path string) { a.links = append(a.links, path) }
	}}, change...))
}

// openBehindProxy starts a desk that takes the people's names from a header.
func (a *agency) openBehindProxy(t testing.TB, change ...func(*desk.Options)) {
	t.Helper()
	a.serve(t, append([]func(*desk.Options){func(o *desk.Options) {
		o.UserHeader, o.Proxies = "X-Remote-User", []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}}, change...))
}

func (a *agency) serve(t testing.TB, change []func(*desk.Options)) {
	t.Helper()
	o := desk.Options{Dir: a.dir, Log: slog.New(slog.DiscardHandler), Program: "blocklist test"}
	for _, c := range change {
		c(&o)
	}
	d, err := desk.New(o)
	require.NoError(t, err)
	a.desk, a.server = d, httptest.NewServer(d)
	t.Cleanup(func() {
		a.server.Close()
		require.NoError(t, d.Close())
	})
}

// browser is one person's.
type browser struct {
	*http.Client
	base string
	user string // for the header; empty: none
	lang string
}

// enter returns a browser with a session.
func (a *agency) enter(t testing.TB) *browser {
	t.Helper()
	b := a.stranger(t)
	r := b.get(t, a.links[len(a.links)-1])
	require.Equal(t, http.StatusOK, r.status, r.text)
	return b
}

// url returns the address of the desk.
func (b *browser) url() *url.URL {
	u, err := url.Parse(b.base)
	if err != nil {
		panic(err) // can't happen: a server has it
	}
	return u
}

// as returns the browser of a person whom the proxy names.
func (a *agency) as(t testing.TB, user string) *browser {
	t.Helper()
	b := a.stranger(t)
	b.user = user
	return b
}

// stranger returns a browser without a session.
func (a *agency) stranger(t testing.TB) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &browser{Client: &http.Client{Jar: jar}, base: a.server.URL}
}

// page is an answer as a reader sees it.
type page struct {
	status int
	header http.Header
	path   string // after redirects
	text   string // what is visible, with a bar before each cell of a table
	values map[string]string
	links  map[string]bool // paths that it leads to
	raw    string
}

func (b *browser) get(t testing.TB, path string) page {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.base+path, nil)
	require.NoError(t, err)
	return b.send(t, r)
}

// whole is get, again and again while the page says that something in it is still being made, as it may on a busy machine.
func (b *browser) whole(t testing.TB, path string) (p page) {
	t.Helper()
	texts, err := words.Read(cmp.Or(b.lang, "en"))
	require.NoError(t, err)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		p = b.get(t, path)
		for _, unfinished := range []string{"enforced.reading", "platforms.counting", "platforms.again"} {
			assert.NotContains(c, p.text, texts.Text(unfinished))
		}
	}, time.Minute, 100*time.Millisecond)
	return p
}

func (b *browser) post(t testing.TB, path string, fields url.Values) page {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.base+path, strings.NewReader(fields.Encode()))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.send(t, r)
}

// propose records reports, one a line, after a look at what was understood.
func (b *browser) propose(t testing.TB, f url.Values) page {
	t.Helper()
	p := b.post(t, "/propose", f)
	if p.values["found"] == "" {
		return p
	}
	f = maps.Clone(f)
	f["found"], f["target"] = []string{"1"}, strings.Split(f.Get("entries"), "\n")
	return b.post(t, "/propose", f)
}

func (b *browser) send(t testing.TB, r *http.Request) page {
	t.Helper()
	if b.user != "" {
		r.Header.Set("X-Remote-User", b.user)
	}
	if b.lang != "" {
		r.Header.Set("Accept-Language", b.lang)
	}
	answer, err := b.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	p := page{status: answer.StatusCode, header: answer.Header, path: answer.Request.URL.RequestURI(), raw: string(body)}
	if strings.HasPrefix(answer.Header.Get("Content-Type"), "text/html") {
		p.text, p.values, p.links = read(t, p.raw)
	}
	return p
}

// read returns the visible text of a page, the values of its fields and its links. It fails if the page has anything that its
// policy forbids.
func read(t testing.TB, body string) (string, map[string]string, map[string]bool) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(body))
	require.NoError(t, err)
	var text strings.Builder
	values, links := map[string]string{}, map[string]bool{}
	for n := range root.Descendants() {
		switch {
		case n.Type == html.TextNode && n.Parent.Data != "script" && n.Parent.Data != "style":
			text.WriteString(n.Data)
		case n.Type == html.ElementNode:
			checkElement(t, n)
			if n.Data == "td" {
				text.WriteString("|")
			}
			links[attribute(n, "href")] = true
			if name := attribute(n, "name"); name != "" {
				values[name] = attribute(n, "value")
			}
			if n.Data == "textarea" && n.FirstChild != nil {
				values[attribute(n, "name")] = n.FirstChild.Data
			}
		}
	}
	seen := strings.Join(strings.Fields(text.String()), " ")
	return strings.NewReplacer(" |", "|", "| ", "|").Replace(seen), values, links
}

func checkElement(t testing.TB, n *html.Node) {
	t.Helper()
	assert.NotContains(t, []string{"iframe", "object", "base", "style", "img"}, n.Data)
	for _, a := range n.Attr {
		assert.NotEqual(t, "style", a.Key)
		assert.False(t, strings.HasPrefix(a.Key, "on"), a.Key)
		if a.Key == "href" || a.Key == "src" || a.Key == "action" {
			assert.Regexp(t, `^(/[^/]|/$|#)`, a.Val, "all of a page is of the desk")
		}
	}
	if n.Data == "script" {
		assert.Nil(t, n.FirstChild)
	}
	if n.Data == "form" {
		checkDefault(t, n)
	}
}

// checkDefault fails if Enter in a field of a form takes a decision: a browser presses the first button. What has a preview
// may be sent.
func checkDefault(t testing.TB, form *html.Node) {
	t.Helper()
	var buttons []*html.Node
	var decides, hasField bool
	for n := range form.Descendants() {
		switch kind := attribute(n, "type"); {
		case n.Data == "button":
			buttons = append(buttons, n)
			decides = decides || attribute(n, "name") == "verb" || strings.Contains(attribute(n, "class"), "danger")
		case n.Data == "input" && kind != "hidden":
			hasField = true
		case n.Data == "input":
			decides = decides || slices.Contains([]string{"seen", "head", "found"}, attribute(n, "name"))
		}
	}
	if decides && hasField {
		disabled := slices.ContainsFunc(buttons[0].Attr, func(a html.Attribute) bool { return a.Key == "disabled" })
		assert.True(t, disabled, "Enter takes a decision at %q", attribute(form, "action"))
	}
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// audit is the cause of what the tests do themselves.
var audit = publish.Audit{Author: "anna", Reason: "a test"}
