package desk_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
)

// A page that is kept costs about a tenth of a millisecond.
func BenchmarkPages(b *testing.B) {
	a := newAgency(b)
	var names []string
	for i := range 2000 {
		names = append(names, fmt.Sprintf("site%d.example category=test", i))
	}
	a.list(b, names...)
	a.open(b)
	session := a.enter(b)
	for _, path := range []string{"/", "/entries", "/entry?of=site7.example", "/search?q=site7.example", "/history"} {
		b.Run(path, func(b *testing.B) {
			r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1"+path, http.NoBody)
			for _, c := range session.Jar.Cookies(session.url()) {
				r.AddCookie(c)
			}
			for b.Loop() {
				w := httptest.NewRecorder()
				if a.desk.ServeHTTP(w, r); w.Code != http.StatusOK {
					b.Fatal(w.Code)
				}
			}
		})
	}
}

// A search for a part of a target, a reference or a reason, among a million entries. No page is kept.
func BenchmarkSearch(b *testing.B) {
	entries := 1_000_000
	if testing.Short() {
		entries = 20_000
	}
	a := newAgency(b)
	a.fill(b, entries)
	a.open(b)
	session := a.enter(b)
	n := 0
	for _, typed := range []string{"site77.example", "er/7770", "al77.example/user", "order+5", "case+477", "as+ordered", "ource+7", "found+nowhere"} {
		b.Run(typed, func(b *testing.B) {
			for b.Loop() {
				n++
				if p := session.get(b, fmt.Sprintf("/search?q=%s&n=%d", typed, n)); p.status != http.StatusOK {
					b.Fatal(p.text)
				}
			}
		})
	}
}
