package desk

import (
	"net/http"
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
