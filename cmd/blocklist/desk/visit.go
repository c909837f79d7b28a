package desk

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/words"
)

// visit is one request of an authenticated person. The handler checks the person's right before it shows the page.
type visit struct {
	*Desk
	w      http.ResponseWriter // where the answer goes; nil while a page for several people is made
	r      *http.Request
	ledger *publish.Ledger
	now    *overview
	person person // sender of the request; without a name while a page for several people is made
	answer *answer
}

// content is the data that the templates of all pages get.
type content struct {
	Lang, Zone   string // language and time zone of the person; Zone is empty if none was chosen
	NoZone       string // chosen time zone that does not exist; empty: none
	List         string
	Confidential bool
	Status       *publish.Status // status of the list; nil without a session
	Role         string
	Who          template.HTML // the placeholder [nameMark]
	CanLeave     bool
	SignOut      string
	At           string // path of this page
	Back         string // path and query of this page
	Typed        bool   // whether the page has a form that is kept as a draft when the page is left
	Draft        bool   // whether the URL names a draft that the desk has
	Title        string // key of a text, or the title itself
	Query        string // the text in the search field
	visit        *visit
	Data         any
}

// May reports whether the person has the right with this name.
func (c content) May(r string) bool { return person{Role: c.Role}.may(right(r)) }

// Here reports whether this page belongs to a path in the navigation.
func (c content) Here(path string) bool {
	return c.At == path || path != "/" && strings.HasPrefix(c.At, path+"/")
}

// page returns the handler that calls show for people who have the needed right.
func (d *Desk) page(needed right, show func(*visit) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, err := d.name(r)
		switch {
		case errors.Is(err, errNoSession):
			d.showDoor(w, r, "door.closed")
			return
		case err != nil:
			d.Log.WarnContext(r.Context(), "refused", slog.String("from", r.RemoteAddr), slog.Any("error", err))
			d.plain(w, r, http.StatusForbidden, "stranger", err.Error())
			return
		}
		err = d.ledger.use(func(l *publish.Ledger) error { return d.serve(w, r, l, name, needed, show) })
		if err != nil {
			d.fail(&visit{Desk: d, w: w, r: r, person: person{Name: name}}, err)
		}
	})
}

// serve answers a request of the person with this name: it calls show if the person has the needed right.
func (d *Desk) serve(w http.ResponseWriter, r *http.Request, l *publish.Ledger, name string, needed right,
	show func(*visit) error,
) error {
	of, err := d.state(r.Context(), l)
	if err != nil {
		return err
	}
	now, err := d.look(r.Context(), l, of)
	if err != nil {
		return err
	}
	v := &visit{Desk: d, w: w, r: r, ledger: l, now: now, person: now.person(name, d.roleOf(name, now.roles))}
	if v.person.Role == "" {
		return fmt.Errorf("%s %w", name, errNoRole)
	}
	switch {
	case !v.person.may(needed):
		err = errForbidden
	case r.Method == http.MethodGet:
		err = v.showKept(of, show)
	default:
		err = v.inTurn(r.Context(), func() error { return show(v) })
	}
	if err != nil {
		d.fail(v, err)
	}
	return nil
}

// inTurn calls the function do when fewer than [atOnce] pages are being made. It waits until then, or until ctx ends.
func (d *Desk) inTurn(ctx context.Context, do func() error) error {
	select {
	case d.busy <- struct{}{}:
		defer func() { <-d.busy }()
		return do()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// showKept shows a page from the cache, or makes it and caches it. All people with the same role, language, time zone
// and tasks share the page, so it is made without the visitor's name. If the URL asks for the visitor's own data, the
// page is made with the name and is not shared.
func (v *visit) showKept(of state, show func(*visit) error) error {
	spoken, zone := v.view()
	shared := visit{Desk: v.Desk, r: v.r, ledger: v.ledger, now: v.now, person: v.person}
	shared.person.Name = ""
	if q := v.r.URL.Query(); q.Has(ownQuery) || q.Has(draftQuery) {
		shared.person.Name = v.person.Name
	}
	key := strings.Join([]string{fmt.Sprintf("%+v", shared.person), spoken.Language, zone.String(), v.r.URL.RequestURI()}, "\n")
	page, err := v.kept.get(v.r.Context(), of, key, func(ctx context.Context) (*answer, error) {
		shared.r = v.r.WithContext(ctx)
		err := v.inTurn(ctx, func() error { return show(&shared) })
		return shared.answer, err
	})
	if err == nil {
		page.send(v.w, v.person.Name)
	}
	return err
}

// give sets the answer of a visit. It sends the answer, unless the page is made for several people.
func (v *visit) give(a *answer) {
	if v.answer = a; v.w != nil {
		a.send(v.w, v.person.Name)
	}
}

// view returns the language and the time zone for a request.
func (v *visit) view() (spoken *words.Words, zone *time.Location) {
	if cookie, err := v.r.Cookie(zoneCookie); err == nil {
		zone = zoneOf(cookie.Value)
	}
	return v.languages.of(v.r), cmp.Or(zone, time.UTC)
}

// show answers with a page. The argument view is the name of its template. The argument title is the key of a text, or
// the title itself.
func (v *visit) show(view, title string, data any) error {
	return v.write(http.StatusOK, view, title, data)
}

func (v *visit) write(status int, view, title string, data any) error {
	spoken, zone := v.view()
	c := content{
		Lang: spoken.Language, Role: v.person.Role, Who: nameMark, CanLeave: v.sessions != nil, SignOut: v.SignOut,
		visit: v, At: v.r.URL.Path, Back: v.r.URL.RequestURI(), Title: spoken.Text(title), Query: v.r.URL.Query().Get("q"), Data: data,
	}
	switch {
	case v.r.Method != http.MethodGet:
		c.Back = "/"
	case c.At == preferencesPath:
		c.Back = local(v.r.URL.Query().Get("back"))
	default:
		c.Draft = v.draft().fields != nil
	}
	if form, ok := data.(interface{ IsForm() bool }); ok {
		c.Typed = form.IsForm()
	}
	if c.NoZone = v.r.URL.Query().Get(unknownZone); zoneOf(c.NoZone) != nil {
		c.NoZone = ""
	}
	if v.now != nil {
		c.List, c.Status, c.Confidential = v.ledger.List(), &v.now.Status, v.now.confidential
	}
	if zone != time.UTC {
		c.Zone = zone.String()
	}
	pages, err := v.views.get(spoken, zone)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := pages[view].ExecuteTemplate(&b, "page", c); err != nil {
		return err
	}
	v.give(newAnswer(status, c.Lang, b.Bytes()))
	return nil
}

// plain shows a page to a person without a session. The argument data is the key of a text on that page.
func (d *Desk) plain(w http.ResponseWriter, r *http.Request, status int, view, data string) {
	v := &visit{Desk: d, w: w, r: r}
	if err := v.write(status, view, view+".title", data); err != nil {
		d.Log.ErrorContext(r.Context(), "page failed", slog.String("page", view), slog.Any("error", err))
		http.Error(w, "the page can't be made", http.StatusInternalServerError)
	}
}

// redirect sends the browser to a page after a form was sent. The values become the query of the page's URL.
func (v *visit) redirect(path string, values url.Values) error {
	if len(values) > 0 {
		path += "?" + values.Encode()
	}
	http.Redirect(v.w, v.r, path, http.StatusSeeOther)
	return nil
}

// zoneOf returns the time zone with a name such as Europe/Rome, or nil for an unknown name.
func zoneOf(name string) *time.Location {
	if name == "" || name == "Local" || len(name) > 64 {
		return nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil
	}
	return zone
}
