// Package httpget sends GET requests to servers that are not trusted, with limits on times and headers. The size of a
// body is for the caller to limit.
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

const maxHeaderBytes = 64 << 10 // of a response

// NewTransport returns a transport with limits, and with the proxy of the environment.
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

// Do sends one request. Reading the body of the response fails if the server is too slow.
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

// UserAgent is the name of the client in requests.
const UserAgent = "argine"

// Conditions returns the headers that make the next request conditional (RFC 9110, 13.1). Dates have whole seconds.
// So a file that changed in the second of the response, or in the one before, has no strong validator (8.8.2.2).
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

// StatusError is the error for an answer with an unwanted status. It wraps [blocklist.ErrUnavailable] for a failure of
// the server.
type StatusError struct {
	Code       int
	RetryAfter time.Duration // how long the server asks to wait; 0: it does not ask
}

// NewStatusError returns the error for a response.
func NewStatusError(resp *http.Response) *StatusError {
	return &StatusError{resp.StatusCode, retryAfter(resp.Header.Get("Retry-After"))}
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("the answer is %d %s", e.Code, http.StatusText(e.Code))
}

// Unwrap returns [blocklist.ErrUnavailable] for a failure of the server, and nil for others.
func (e *StatusError) Unwrap() error {
	if e.Code >= http.StatusInternalServerError {
		return blocklist.ErrUnavailable
	}
	return nil
}

// retryAfter parses the header Retry-After: seconds, or a date (RFC 9110, 10.2.3).
func retryAfter(text string) time.Duration {
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}
