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
