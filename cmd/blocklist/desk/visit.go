package desk

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/argine-dns/argine/blocklist/publish"
)

// visit is one request of a person whose right to it was checked.
type visit struct {
	*Desk
	w      http.ResponseWriter
	r      *http.Request
	ledger *publish.Ledger
	now    *overview
	person person
}

// content is the data of a page.
type content struct {
	Lang, Zone   string // of the person; Zone is empty if none was chosen
	List         string
	Confidential bool
	Status       *publish.Status // nil without a session
	Person       person
	CanLeave     bool
	At           string // path of the page
	Back         string // path and query
	Title        string // key of a text, or a text
	Query        string // of the search
	Data         any
}

// May reports whether the person has a right.
func (c content) May(r string) bool { return c.Person.may(right(r)) }

// Here reports whether the page is below a path of the navigation.
func (c content) Here(path string) bool {
	return c.At == path || path != "/" && strings.HasPrefix(c.At, path+"/")
}

// page returns the handler of a page that needs a right.
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
		select {
		case d.busy <- struct{}{}:
			defer func() { <-d.busy }()
		case <-r.Context().Done():
			http.Error(w, "the desk is busy", http.StatusServiceUnavailable)
			return
		}
		err = d.ledger.use(func(l *publish.Ledger) error { return d.serve(w, r, l, name, needed, show) })
		if err != nil {
			d.fail(&visit{Desk: d, w: w, r: r, person: person{Name: name}}, err)
		}
	})
}

// serve checks the right of a person, and shows a page.
func (d *Desk) serve(w http.ResponseWriter, r *http.Request, l *publish.Ledger, name string, needed right,
	show func(*visit) error,
) error {
	now, err := d.look(r.Context(), l)
	if err != nil {
		return err
	}
	v := &visit{Desk: d, w: w, r: r, ledger: l, now: now, person: person{name, d.roleOf(name, now.roles)}}
	if !v.person.may(needed) {
		err = errForbidden
	} else {
		err = show(v)
	}
	if err != nil {
		d.fail(v, err)
	}
	return nil
}

// show writes a page.
func (v *visit) show(view, title string, data any) error {
	return v.write(http.StatusOK, view, title, data)
}

func (v *visit) write(status int, view, title string, data any) error {
	lang := v.words.language(v.r)
	c := content{
		Lang: languages()[lang], Person: v.person, CanLeave: v.sessions != nil, At: v.r.URL.Path, Back: v.r.URL.RequestURI(),
		Title: v.words.text(lang, title), Query: v.r.URL.Query().Get("q"), Data: data,
	}
	if v.r.Method != http.MethodGet {
		c.Back = "/"
	}
	if v.now != nil {
		c.List, c.Status, c.Confidential = v.ledger.List(), &v.now.Status, v.now.confidential
	}
	zone := time.UTC
	if cookie, err := v.r.Cookie(zoneCookie); err == nil && zoneOf(cookie.Value) != nil {
		zone, c.Zone = zoneOf(cookie.Value), cookie.Value
	}
	pages, err := v.views.get(lang, zone)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := pages[view].ExecuteTemplate(&b, "page", c); err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", c.Lang)
	text := visible(b.Bytes())
	h.Set("Content-Length", strconv.Itoa(len(text)))
	v.w.WriteHeader(status)
	_, _ = v.w.Write(text) // the reader may be gone
	return nil
}

// visible escapes the characters of a page that change the writing direction, or that no one sees: no text of the desk
// has any.
func visible(page []byte) []byte {
	if bytes.IndexFunc(page, hidden) < 0 {
		return page
	}
	var b bytes.Buffer
	for len(page) > 0 {
		r, n := utf8.DecodeRune(page)
		if hidden(r) {
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		} else {
			b.Write(page[:n])
		}
		page = page[n:]
	}
	return b.Bytes()
}

func hidden(r rune) bool {
	if ' ' <= r && r <= '~' {
		return false
	}
	return !unicode.IsGraphic(r) && r != '\n' && r != '\t' || r == unicode.ReplacementChar
}

// plain shows a page to somebody who has no session. Data is the key of a text.
func (d *Desk) plain(w http.ResponseWriter, r *http.Request, status int, view, data string) {
	v := &visit{Desk: d, w: w, r: r}
	if err := v.write(status, view, view+".title", data); err != nil {
		d.Log.ErrorContext(r.Context(), "page failed", slog.String("page", view), slog.Any("error", err))
		http.Error(w, "the page can't be made", http.StatusInternalServerError)
	}
}

// redirect leads to a page after a change, with values for its URL.
func (v *visit) redirect(path string, values url.Values) error {
	if len(values) > 0 {
		path += "?" + values.Encode()
	}
	http.Redirect(v.w, v.r, path, http.StatusSeeOther)
	return nil
}
