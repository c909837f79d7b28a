package httpfilter

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
)

type transport struct {
	filter Filter
	next   http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	m, ok := t.filter.lookup(r)
	if ok {
		r = withMatch(r, m)
	}
	if !ok || m.Monitor {
		return t.next.RoundTrip(r)
	}
	if r.Body != nil {
		_ = r.Body.Close() // it is not sent
	}
	a := answer{header: http.Header{}, status: http.StatusOK}
	t.filter.refuse(&a, r)
	return &http.Response{
		Status: strconv.Itoa(a.status) + " " + http.StatusText(a.status), StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header, Body: io.NopCloser(&a.body), ContentLength: int64(a.body.Len()), Request: r,
	}, nil
}

// answer is what a refusal writes, kept for the client itself.
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
