package desk

import (
	"net/http"
	"time"
)

// enter begins a session for the one-time link in the request. A HEAD request does not use up the link.
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

// askLink shows the account that has started the desk a new one-time link, in its terminal.
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

// showDoor shows the page for people without a session. The argument notice is the key of a text on that page.
func (d *Desk) showDoor(w http.ResponseWriter, r *http.Request, notice string) {
	d.plain(w, r, http.StatusUnauthorized, "door", notice)
}

// unknownZone is the query parameter with a chosen time zone that does not exist.
const unknownZone = "zone"
