package httpfilter

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/argine-dns/argine/blocklist"
)

type transport struct {
	filter Filter
	next   http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	m, ok, err := t.filter.lookup(r)
	switch {
	case err == nil && !ok:
		return t.next.RoundTrip(r)
	case err == nil && m.Monitor:
		return t.next.RoundTrip(withMatch(r, m))
	}
	if r.Body != nil {
		_ = r.Body.Close() // the body is not sent
	}
	if err != nil {
		return nil, fmt.Errorf("filtering: %w", err)
	}
	return t.filter.Response(r, m), nil
}

// Response returns the refusal of a request that has a match, for proxies that don't use net/http servers. It uses
// only the method and the Accept field of the request. [MatchOf] returns the match from the Request of the response.
func (f Filter) Response(r *http.Request, m blocklist.Match) *http.Response {
	r = withMatch(r, m)
	a := answer{header: http.Header{}, status: http.StatusOK}
	f.refuse(&a, r)
	return &http.Response{
		Status: strconv.Itoa(a.status) + " " + http.StatusText(a.status), StatusCode: a.status, Proto: "HTTP/1.1",
		ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header, Body: io.NopCloser(&a.body), ContentLength: int64(a.body.Len()), Request: r,
	}
}

// answer is an [http.ResponseWriter] that stores the response in memory.
type answer struct {
	header http.Header
	body   bytes.Buffer
	status int
}

// Header implements [http.ResponseWriter].
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements [http.ResponseWriter].
func (a *answer) WriteHeader(status int) { a.status = status }

// Write implements [http.ResponseWriter].
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }
