package desk

import "net/http"

// routes are the pages.
func (d *Desk) routes() http.Handler {
	m := http.NewServeMux()
	m.Handle("GET /assets/{hash}/{name}", d.assets)
	m.HandleFunc("GET /enter", d.enter)
	m.HandleFunc("POST /link", d.askLink)
	m.HandleFunc("POST /leave", d.leave)
	m.HandleFunc("POST /preferences", d.setPreferences)
	for _, p := range []struct {
		pattern string
		may     right
		show    func(*visit) error
	}{
		{"GET /{$}", see, (*visit).start},
		{"GET /search", see, (*visit).search},
		{"GET /entries", see, (*visit).entries},
		{"GET /entry", see, (*visit).entry},
		{"GET /entry/page", see, (*visit).entryPage},
		{"GET /history", see, (*visit).history},
		{"GET /operation/{id}", see, (*visit).operation},
	} {
		m.Handle(p.pattern, d.page(p.may, p.show))
	}
	m.Handle("/", d.page(see, func(*visit) error { return errNoPage }))
	return m
}
