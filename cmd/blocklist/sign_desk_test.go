package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/argine-dns/argine/blocklist"
)

// An address that is not that of a desk gives a clear error, and its page is not printed.
func TestNoDesk(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusOK, http.StatusForbidden, http.StatusFound} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.WriteHeader(status)
			fmt.Fprint(w, "<!doctype html><h1>Please sign in</h1>")
		}))
		defer s.Close()
		d := deskClient{deskOf(s.URL + "/pending/code/X?mine=1"), "CODE"}
		assert.Equal(t, s.URL, d.base)
		err := d.fetch(t.Context(), filepath.Join(t.TempDir(), "request"))
		assert.ErrorIs(t, err, blocklist.ErrMalformed)
		assert.ErrorContains(t, err, "a page for people, and no signing request")
		assert.NotContains(t, err.Error(), "<")
	}
}
