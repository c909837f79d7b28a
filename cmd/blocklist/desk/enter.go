package desk

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// enter begins a session by a one-time link. A HEAD request does not use the link up.
func (d *Desk) enter(w http.ResponseWriter, r *http.Request) {
	if d.sessions == nil || r.Method != http.MethodGet {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	secret := d.sessions.enter(r.URL.Query().Get("token"))
	if secret == "" {
		d.showDoor(w, r, "door.used")
		return
	}
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // loopback has no TLS
		Name: sessionCookie, Value: secret, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode,
		MaxAge: int(sessionLasts / time.Second),
	})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// askLink has the desk print another one-time link, for the account that has started it.
func (d *Desk) askLink(w http.ResponseWriter, r *http.Request) {
	if d.sessions == nil {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	d.sessions.newLink()
	d.showDoor(w, r, "door.printed")
}

func (d *Desk) leave(w http.ResponseWriter, r *http.Request) {
	if d.sessions == nil {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	d.sessions.leave(r)
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode}) //nolint:gosec // as above
	d.showDoor(w, r, "door.left")
}

// showDoor shows the page of those who have no session. Notice is the key of a text.
func (d *Desk) showDoor(w http.ResponseWriter, r *http.Request, notice string) {
	d.plain(w, r, http.StatusUnauthorized, "door", notice)
}

// unknownZone has, in a URL, a time zone that there is not.
const unknownZone = "zone"

// setPreference keeps a choice of a person for a year.
func setPreference(w http.ResponseWriter, name, value string) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // it is no secret
		Name: name, Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: 400 * 24 * 3600,
	})
}

// setPreferences keeps the language and the time zone that a person has chosen.
func (d *Desk) setPreferences(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, "the form can't be read", http.StatusBadRequest)
		return
	}
	language, zone := r.PostForm.Get("language"), r.PostForm.Get("zone")
	if d.languages.all[language] != nil {
		setPreference(w, languageCookie, language)
	}
	back := d.keepTyped(r, local(r.Form.Get("back")))
	if zoneOf(zone) != nil {
		setPreference(w, zoneCookie, zone)
		zone = ""
	}
	back = withQuery(parsed(back), unknownZone, zone)
	http.Redirect(w, r, back, http.StatusSeeOther) //nolint:gosec // local makes it a path of this desk
}

// local returns a path of this desk, "/" for anything else.
func local(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.Contains(path, `\`) {
		return "/"
	}
	return u.String()
}

// zoneOf returns the time zone with a name, such as Europe/Rome; nil for another text.
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
