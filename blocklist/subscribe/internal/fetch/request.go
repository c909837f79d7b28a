package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
	"github.com/argine-dns/argine/blocklist/internal/utf8text"
)

// Timestamp fetches the timestamp. The request is conditional if the known timestamp came from this origin. If the
// origin still has the known one, modified is false and b is nil.
func (o *Origin) Timestamp(ctx context.Context, known []byte) (b []byte, modified bool, err error) {
	var conditions http.Header
	if len(known) > 0 && bytes.Equal(known, o.conditionsFor) {
		conditions = o.conditions
	}
	resp, err := o.get(ctx, trust.TimestampName, conditions)
	if err != nil {
		return nil, false, err
	}
	if resp.StatusCode == http.StatusNotModified && conditions != nil {
		return nil, false, resp.Body.Close()
	}
	if b, err = readAll(resp, trust.TimestampName, tuf.MaxTimestamp); err != nil {
		return nil, false, err
	}
	o.conditions, o.conditionsFor = conditionsFrom(resp.Header), b
	return b, true, nil
}

// conditionsFrom returns the headers that make the next request conditional (RFC 9110, 13.1). Dates have whole seconds.
// So a file that changed in the second of the response, or in the one before, has no strong validator (8.8.2.2).
func conditionsFrom(h http.Header) http.Header {
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

// Document fetches a document of at most limit bytes. It fails with [blocklist.ErrTooLarge] if the document is longer,
// and with [fs.ErrNotExist] if the origin does not have it.
func (o *Origin) Document(ctx context.Context, name string, limit int64) ([]byte, error) {
	resp, err := o.get(ctx, name, nil)
	if err != nil {
		return nil, err
	}
	return readAll(resp, name, limit)
}

// Open fetches a file. The caller must limit its length and close it.
func (o *Origin) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	resp, err := o.get(ctx, name, nil)
	if err != nil {
		return nil, err
	}
	if err := checkStatus(resp, name); err != nil {
		return nil, errors.Join(err, resp.Body.Close())
	}
	return resp.Body, nil
}

func readAll(resp *http.Response, name string, limit int64) (b []byte, err error) {
	if err = checkStatus(resp, name); err == nil {
		b, err = io.ReadAll(io.LimitReader(resp.Body, limit+1))
	}
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s: %w: more than %d bytes", name, blocklist.ErrTooLarge, limit)
	}
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, err
	}
	return b, nil
}

func checkStatus(resp *http.Response, name string) error {
	switch resp.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusNotFound, http.StatusGone:
		return fmt.Errorf("fetching %s: %w", name, fs.ErrNotExist)
	}
	err := fmt.Errorf("fetching %s: the answer is %d %s", name, resp.StatusCode, http.StatusText(resp.StatusCode))
	if resp.StatusCode >= http.StatusInternalServerError {
		err = fmt.Errorf("%w: %w", blocklist.ErrUnavailable, err)
	}
	return err
}

// get sends one request. Reading the response body fails if the origin is too slow.
func (o *Origin) get(ctx context.Context, name string, conditions http.Header) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(stallTimeout, func() { cancel(errSlow) })
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, o.base.JoinPath(name).String(), nil)
	if err != nil {
		cancel(nil)
		return nil, err
	}
	maps.Copy(req.Header, conditions)
	req.Header.Set("Accept-Encoding", "identity") // otherwise the transport decompresses gzip, and the length of the response is unknown
	req.Header.Set("User-Agent", userAgent)
	resp, err := o.client.Do(req)
	if err != nil {
		timer.Stop()
		defer cancel(nil)
		return nil, fmt.Errorf("fetching %s: %w", name, plainError{slowCause(ctx, err)})
	}
	resp.Body = &timedBody{ctx: ctx, body: resp.Body, cancel: cancel, timer: timer, started: time.Now()}
	return resp, nil
}

const userAgent = "argine"

// plainError makes the text of an error printable, since it may quote data from an origin, such as the URL of a
// redirect.
type plainError struct{ error }

func (e plainError) Error() string { return utf8text.Plain(e.error.Error()) }
func (e plainError) Unwrap() error { return e.error }
