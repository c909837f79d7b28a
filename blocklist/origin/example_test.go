package origin_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/argine-dns/argine/blocklist/origin"
)

// An origin in a program of one's own: the handler can be mounted anywhere. The example of package publish has what an
// agency does with it.
func Example() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	dir = filepath.Join(dir, "origin")
	if _, err := origin.Init(dir); err != nil { // the key that it returns belongs into the roots of lists
		panic(err)
	}
	o, err := origin.Open(dir, origin.Options{})
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go o.Run(ctx)
	server := httptest.NewServer(o.Handler()) // http.Serve, as a rule
	defer server.Close()

	for _, path := range []string{"/healthz", "/lists/it.example/csam/timestamp.json"} {
		response, err := http.Get(server.URL + path)
		if err != nil {
			panic(err)
		}
		response.Body.Close()
		fmt.Println(path, response.Status)
	}
	// Output:
	// /healthz 200 OK
	// /lists/it.example/csam/timestamp.json 404 Not Found
}
