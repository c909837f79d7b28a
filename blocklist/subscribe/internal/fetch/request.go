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

// Timestamp fetches the timestamp, conditionally if the one given came from this origin. It reports whether the origin
// has another one; if not, b is nil.
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

// conditionsFrom makes the next request conditional (RFC 9110, 13.1). Dates count seconds: of a file that changed in
// the second of the answer, or the one before, neither date nor a tag made from it is a strong validator (8.8.2.2).
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

// Document fetches a document of at most limit bytes: [blocklist.ErrTooLarge] for a longer one, [fs.ErrNotExist] if the
// origin says that there is none.
func (o *Origin) Document(ctx context.Context, name string, limit int64) ([]byte, error) {
	resp, err := o.get(ctx, name, nil)
	if err != nil {
		return nil, err
	}
	return readAll(resp, name, limit)
}

// Open fetches a file. The caller limits its length, and closes it.
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
	return fmt.Errorf("fetching %s: the answer is %d %s", name, resp.StatusCode, http.StatusText(resp.StatusCode))
}

// get sends one request. Reading the response's body fails when the origin is too slow.
func (o *Origin) get(ctx context.Context, name string, conditions http.Header) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(stallTimeout, func() { cancel(errSlow) })
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, o.base.JoinPath(name).String(), nil)
	if err != nil {
		cancel(nil)
		return nil, err
	}
	maps.Copy(req.Header, conditions)
	req.Header.Set("Accept-Encoding", "identity") // else the transport unpacks gzip, and a length says nothing
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

// plainError is an error that may quote what an origin sent, such as the address of a redirect: its text is made
// printable.
type plainError struct{ error }

func (e plainError) Error() string { return utf8text.Plain(e.error.Error()) }
func (e plainError) Unwrap() error { return e.error }
