// Command reverseproxy is an HTTP proxy in front of a web server. It refuses the listed URLs, for all clients.
//
//	go run ./examples/reverseproxy --to http://127.0.0.1:8080 --list list.txt
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/signal"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/blocklist/httpfilter"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8081", "`address` to serve at")
	to := flag.String("to", "http://127.0.0.1:8080", "`URL` of the web server")
	list := flag.String("list", "testdata/lists/demo.txt", "`file` with the entries, in any format")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *listen, *to, *list); err != nil {
		fmt.Fprintln(os.Stderr, "reverseproxy: error:", err)
		os.Exit(1)
	}
}

// run serves the proxy until ctx ends.
func run(ctx context.Context, listen, to, list string) error {
	target, err := url.Parse(to)
	if err != nil {
		return err
	}
	set, err := compile(list)
	if err != nil {
		return err
	}
	server := http.Server{
		Addr: listen, Handler: handler(set, target), ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout: 2 * time.Minute,
	}
	context.AfterFunc(ctx, func() { server.Close() }) //nolint:errcheck // the program ends
	fmt.Fprintf(os.Stderr, "http://%s refuses the %d entries of %s, and passes all else to %s\n", listen,
		set.Info().Entries, list, to)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// handler returns the proxy: a filter in front of the standard library's reverse proxy.
func handler(list httpfilter.List, target *url.URL) http.Handler {
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
		r.SetXForwarded()
	}}
	return httpfilter.Filter{List: list}.Handler(proxy)
}

// compile compiles the file with a list into a set. A program with a signed list opens a store instead: see package
// subscribe.
func compile(list string) (*blocklist.Set, error) {
	f, err := os.Open(list)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	r, err := formats.NewReader(f, formats.Options{Name: list})
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "reverseproxy-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	if err := blocklist.BuildSet(dir+"/list.set", "local", r.Entries()); err != nil {
		return nil, err
	}
	return blocklist.OpenSet(dir + "/list.set")
}
