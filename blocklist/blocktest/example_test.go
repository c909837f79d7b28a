package blocktest_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/argine-dns/argine/blocklist/blocktest"
	"github.com/argine-dns/argine/blocklist/httpfilter"
)

// A test of a program that refuses URLs: a store with two entries takes a line, and changes by another one.
func Example() {
	_ = func(t *testing.T) { // func TestGateway(t *testing.T), in a file of its own
		store := blocktest.NewStore(t, "example.org category=spam", "https://site.example/a/*")
		gateway := httpfilter.Filter{List: store}.Handler(http.NotFoundHandler())

		w := httptest.NewRecorder()
		gateway.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://www.example.org/", nil))
		if w.Code != http.StatusUnavailableForLegalReasons {
			t.Errorf("status %d", w.Code)
		}
		blocktest.SetList(t, store, blocktest.List, "example.com")
	}
}
