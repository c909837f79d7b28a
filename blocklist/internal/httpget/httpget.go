// Package httpget sends GET requests to servers that are not trusted, with limits on times and on the size of headers.
// Callers must limit the size of bodies.
package httpget

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/utf8text"
)

const maxHeaderBytes = 64 << 10 // maximum size of a response's headers, in bytes

// NewTransport returns a transport with limits on times and on the size of headers. It uses the proxy that the
// environment variables name.
func NewTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: StallTimeout}).DialContext,
		TLSHandshakeTimeout:    StallTimeout,
		IdleConnTimeout:        2 * time.Minute,
		MaxIdleConnsPerHost:    1,
		MaxResponseHeaderBytes: maxHeaderBytes,
		ForceAttemptHTTP2:      true,
	}
}

// Do sends one GET request with the given headers. It returns the response whatever its status. Reading the body fails
// with [ErrSlow] if the server is too slow.
func Do(ctx context.Context, client *http.Client, url string, header http.Header) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(StallTimeout, func() { cancel(ErrSlow) })
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		timer.Stop()
		cancel(nil)
		return nil, err
	}
	maps.Copy(req.Header, header)
	req.Header.Set("User-Agent", UserAgent)
	resp, err := client.Do(req)
	if err != nil {
		timer.Stop()
		defer cancel(nil)
		return nil, PlainError{Err: slowCause(ctx, err)}
	}
	resp.Body = &timedBody{ctx: ctx, body: resp.Body, cancel: cancel, timer: timer, started: time.Now()}
	return resp, nil
}

// UserAgent is the value of the header User-Agent in requests.
const UserAgent = "argine"

// Conditions returns the headers that make the next request for the same URL conditional (RFC 9110, 13.1). The argument
// h has the headers of the last response. Conditions returns nil if the file was modified less than two seconds before
// that response: dates have whole seconds, so the file might have changed again without a new date (8.8.2.2).
func Conditions(h http.Header) http.Header {
	conditions := http.Header{}
	if tag := h.Get("ETag"); tag != "" {
		conditions.Set("If-None-Match", tag)
	}
	if modified, err := http.ParseTime(h.Get("Last-Modified")); err == nil {
		now, err := http.ParseTime(h.Get("Date"))
		if err != nil {
			now = time.Now()
		}
		if now.Sub(modified) < 2*time.Second {
			return nil
		}
		conditions.Set("If-Modified-Since", h.Get("Last-Modified"))
	}
	if len(conditions) == 0 {
		return nil
	}
	return conditions
}

// PlainError makes the text of an error printable, since it may quote data from a server, such as the URL of a
// redirect.
type PlainError struct{ Err error }

func (e PlainError) Error() string { return utf8text.Plain(e.Err.Error()) }

// Unwrap returns the wrapped error.
func (e PlainError) Unwrap() error { return e.Err }

// StatusError is returned for a response with an unwanted status. It wraps [blocklist.ErrUnavailable] for status 500
// and above.
type StatusError struct {
	Code       int
	RetryAfter time.Duration // time that the server asks to wait; 0: none
}

// NewStatusError returns the error for a response with an unwanted status.
func NewStatusError(resp *http.Response) *StatusError {
	return &StatusError{resp.StatusCode, retryAfter(resp.Header.Get("Retry-After"))}
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("the answer is %d %s", e.Code, http.StatusText(e.Code))
}

// Unwrap returns [blocklist.ErrUnavailable] for status 500 and above, and otherwise nil.
func (e *StatusError) Unwrap() error {
	if e.Code >= http.StatusInternalServerError {
		return blocklist.ErrUnavailable
	}
	return nil
}

// retryAfter parses the value of the header Retry-After: seconds, or a date (RFC 9110, 10.2.3). It returns 0 for other
// values.
func retryAfter(text string) time.Duration {
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}
