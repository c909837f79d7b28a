// Package httpfilter refuses listed URLs in programs that speak HTTP: as middleware in front of a handler, as a
// transport in a client, and for proxies of all kinds by [Lookup] and [Filter.Response]. A refusal has the status
// 451, Unavailable For Legal Reasons (RFC 7725).
//
//	filter := httpfilter.Filter{List: store}
//	http.ListenAndServe(addr, filter.Handler(proxy))          // a proxy, gateway or server that others use
//	client := http.Client{Transport: filter.Transport(nil)}   // a program that fetches what others name
//
// An ambiguous request is refused with 400: it names no host, or one that no browser takes.
//
// What is looked up is what the request asks for: host and path of the URL, and its query. Entries of all scopes
// apply, ip entries where the URL has an address for a host; the addresses of a name are not looked up. A CONNECT
// request shows no path, so that url entries don't apply to it. An entry with status=monitor lets pass; the match is
// in the request's context either way.
package httpfilter

import (
	"context"
	"net/http"
	"net/netip"
	"slices"

	"github.com/argine-dns/argine/blocklist"
)

// List tells what is listed: a [blocklist.Store] or a [blocklist.Set].
type List interface {
	LookupHost(host string) (blocklist.Match, bool)
	LookupAddr(addr netip.Addr) (blocklist.Match, bool)
	LookupURL(url string) (blocklist.Match, bool)
}

// Filter refuses what a list holds.
type Filter struct {
	List List // required
	// BlockedBy is the URL of who runs the filter, for the Link header of RFC 7725: not of the authority behind the
	// list. Empty: no such header.
	BlockedBy string
	// Refusal answers refused requests, whose match [MatchOf] has. The status is 451 unless it writes another. Nil: a
	// short page, or JSON for those who accept that.
	Refusal http.Handler
}

// Unreadable is what the client of an ambiguous request reads.
const Unreadable = "This request can't be read: it names no host, or one that is none."

// Handler returns a handler that refuses what is listed, and passes all else to next, but for requests of which it is
// unclear what they ask for: these get status 400.
func (f Filter) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m, ok, err := f.lookup(r)
		switch {
		case err != nil:
			http.Error(w, Unreadable, http.StatusBadRequest)
		case !ok:
			next.ServeHTTP(w, r)
		case m.Monitor:
			next.ServeHTTP(w, withMatch(r, m))
		default:
			f.refuse(w, withMatch(r, m))
		}
	})
}

// Transport returns a transport that answers requests for what is listed itself, with status 451, and passes all
// others to next; nil is [http.DefaultTransport]. An ambiguous request fails. A client with it has every redirection
// checked. [MatchOf] has the match from the Request of the response.
func (f Filter) Transport(next http.RoundTripper) http.RoundTripper {
	if next == nil {
		next = http.DefaultTransport
	}
	return transport{f, next}
}

// lookup looks up what r asks for, and where a client's request goes to another host than it names, that host too.
func (f Filter) lookup(r *http.Request) (blocklist.Match, bool, error) {
	target := r.URL.RequestURI()
	switch {
	case r.Method == http.MethodConnect:
		target = r.URL.Host
	case r.URL.Opaque == "":
		target = "/" + target // a path may come without a slash
	}
	return Lookup(f.List, r.Method, target, slices.Compact([]string{r.URL.Host, r.Host})...)
}

// matchKey is where a request's context has its match.
type matchKey struct{}

func withMatch(r *http.Request, m blocklist.Match) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), matchKey{}, m))
}

// MatchOf returns why a request was refused, or which entry with status=monitor let it pass; false if nothing holds
// it. In a handler behind a filter it takes the request, in a client the Request of the response.
func MatchOf(r *http.Request) (blocklist.Match, bool) {
	m, ok := r.Context().Value(matchKey{}).(blocklist.Match)
	return m, ok
}
