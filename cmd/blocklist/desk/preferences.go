package desk

import (
	"net/http"
	"net/url"
	"strings"
)

// preferencesPath is the path of the page for choosing the time zone.
const preferencesPath = "/preferences"

func (v *visit) preferences() error { return v.show("preferences", "zone", nil) }

// setPreferences stores the chosen language and time zone in cookies.
func (d *Desk) setPreferences(w http.ResponseWriter, r *http.Request) {
	if err := parseForm(r); err != nil {
		d.fail(&visit{Desk: d, w: w, r: r}, err)
		return
	}
	language, zone := r.PostForm.Get("language"), zoneNamed(r.PostForm.Get("zone"))
	if d.languages.all[language] != nil {
		setPreference(w, languageCookie, language)
	}
	back := d.keepTyped(r, local(r.Form.Get("back")))
	if zoneOf(zone) != nil {
		setPreference(w, zoneCookie, zone)
		zone = ""
	}
	back = withQuery(parsed(back), unknownZone, zone)
	if r.PostForm.Has("choose") {
		back = withQuery(&url.URL{Path: preferencesPath}, "back", back)
	}
	http.Redirect(w, r, back, http.StatusSeeOther) //nolint:gosec // local makes it a path of this desk
}

// zoneNamed returns the name of the time zone that a person has typed: its full name, such as Europe/Rome, or only the
// city. A text that names no zone is returned as it is.
func zoneNamed(typed string) string {
	city := strings.ReplaceAll(strings.TrimSpace(typed), " ", "_")
	if city != "" {
		city = strings.ToUpper(city[:1]) + city[1:]
	}
	areas := []string{"", "Europe/", "America/", "Asia/", "Africa/", "Atlantic/", "Australia/", "Indian/", "Pacific/"}
	for _, area := range areas {
		if zoneOf(area+city) != nil {
			return area + city
		}
	}
	return typed
}

// setPreference stores a preference in a cookie, for 400 days.
func setPreference(w http.ResponseWriter, name, value string) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // it is no secret
		Name: name, Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: 400 * 24 * 3600,
	})
}

// keepTyped stores the form of a page as a draft if a person leaves the page to change preferences. It returns the path
// of the page, with the name of the draft if there is one.
func (d *Desk) keepTyped(r *http.Request, back string) string {
	name, err := d.name(r)
	if err != nil || !r.PostForm.Has(typedField) {
		return back
	}
	page := parsed(withQuery(parsed(back), draftQuery, d.drafts.keep(name, draft{fields: r.PostForm})))
	return withQuery(page, editQuery, "1")
}
