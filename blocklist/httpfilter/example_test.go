package httpfilter_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/blocktest"
	"github.com/argine-dns/argine/blocklist/httpfilter"
)

// exampleSet is a list with one URL; a program that follows a list has a store.
func exampleSet() *blocklist.Set {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "set")
	if err := blocklist.BuildSet(path, "local", blocktest.Entries("https://site.example/user/* ref=2026/17")); err != nil {
		panic(err)
	}
	set, err := blocklist.OpenSet(path)
	if err != nil {
		panic(err)
	}
	return set
}

// A server, proxy or gateway: the filter goes in front.
func ExampleFilter_Handler() {
	site := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })
	h := httpfilter.Filter{List: exampleSet(), BlockedBy: "https://isp.example/"}.Handler(site)

	for _, path := range []string{"/", "/user/7"} {
		r := httptest.NewRequest("GET", "http://site.example"+path, nil)
		r.Header.Set("Accept", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Body)
	}
	// Output:
	// 200 hello
	// 451 {"status":451,"title":"Unavailable For Legal Reasons","list":"local","ref":"2026/17"}
}

// A client: what is listed is never asked for, not by way of a redirection either.
func ExampleFilter_Transport() {
	client := http.Client{Transport: httpfilter.Filter{List: exampleSet()}.Transport(nil)}
	r, err := client.Get("https://site.example/user/7")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Body.Close()
	m, _ := httpfilter.MatchOf(r.Request)
	fmt.Println(r.Status, m.Entry())
	// Output: 451 Unavailable For Legal Reasons https://site.example/user/*
}
