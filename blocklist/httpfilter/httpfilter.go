// Package httpfilter refuses listed URLs in programs that speak HTTP: as middleware in front of a handler, as a
// transport in a client, and for proxies of all kinds by [Lookup] and [Filter.Response]. A refusal has the status
// 451, Unavailable For Legal Reasons (RFC 7725).
//
//	filter := httpfilter.Filter{List: store}
//	http.ListenAndServe(addr, filter.Handler(proxy))          // for a proxy, gateway or server
//	client := http.Client{Transport: filter.Transport(nil)}   // for a program that fetches untrusted URLs
//
// An ambiguous request is refused with 400: it names no host, or one that no browser accepts.
//
// The filter looks up the host, path and query of the requested URL. Entries of all scopes apply; IP entries apply if
// the URL's host is an address, because the filter does not resolve names. A CONNECT request shows no path, so URL
// entries don't apply to it. A request passes if only an entry with status=monitor matches. The request's context has
// the match, whether the request is refused or passes.
package httpfilter

import (
	"context"
	"net/http"
	"net/netip"
	"slices"

	"github.com/argine-dns/argine/blocklist"
)

// List has the lookups that a filter needs. [blocklist.Store] and [blocklist.Set] implement it.
type List interface {
	LookupHost(host string) (blocklist.Match, bool)
	LookupAddr(addr netip.Addr) (blocklist.Match, bool)
	LookupURL(url string) (blocklist.Match, bool)
}

// Filter refuses requests for listed URLs.
type Filter struct {
	List List // the entries to look requests up in; required
	// BlockedBy is the URL of the filter's operator, for the Link header of RFC 7725; it is not the authority behind
	// the list. Empty: no such header.
	BlockedBy string
	// Refusal writes the response to a refused request; [MatchOf] returns the request's match. The status is 451 unless
	// Refusal writes another. Nil: a short HTML page, or JSON for clients that accept it.
	Refusal http.Handler
}

// Unreadable is the response text for an ambiguous request.
const Unreadable = "This request can't be read: it names no host, or one that is none."

// Handler returns a handler that refuses requests for listed URLs and passes all others to next. An ambiguous request
// gets status 400.
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

// Transport returns a transport that answers requests for listed URLs itself, with status 451, and passes all others to
// next; nil means [http.DefaultTransport]. An ambiguous request fails with an error. The transport also checks every
// redirect of a client. [MatchOf] returns the match from the Request of the response.
func (f Filter) Transport(next http.RoundTripper) http.RoundTripper {
	if next == nil {
		next = http.DefaultTransport
	}
	return transport{f, next}
}

// lookup looks up the target of a client's or a server's request. If a client sends the request to another host than
// the Host field names, both hosts are looked up.
func (f Filter) lookup(r *http.Request) (blocklist.Match, bool, error) {
	target := r.URL.RequestURI()
	switch {
	case r.Method == http.MethodConnect:
		target = r.URL.Host
	case r.URL.Opaque == "":
		target = "/" + target // the path may lack the slash
	}
	return Lookup(f.List, r.Method, target, slices.Compact([]string{r.URL.Host, r.Host})...)
}

// matchKey is the key of the match in a request's context.
type matchKey struct{}

func withMatch(r *http.Request, m blocklist.Match) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), matchKey{}, m))
}

// MatchOf returns the match of a request: the reason for its refusal, or, if the request passed, an entry with
// status=monitor. It returns false if no entry matched. A handler behind a filter calls MatchOf with its request. A
// client calls MatchOf with the field Request of the response.
func MatchOf(r *http.Request) (blocklist.Match, bool) {
	m, ok := r.Context().Value(matchKey{}).(blocklist.Match)
	return m, ok
}
