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

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/httpget"
	"github.com/argine-dns/argine/blocklist/internal/trust"
	"github.com/argine-dns/argine/blocklist/internal/tuf"
)

// Timestamp fetches the timestamp. If this origin sent the known timestamp, the request is conditional. If the origin
// still has that timestamp, modified is false and b is nil.
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
	o.conditions, o.conditionsFor = httpget.Conditions(resp.Header), b
	return b, true, nil
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
	case http.StatusForbidden: // the answer of a bucket for what it lacks, where readers may not list it
		return fmt.Errorf("fetching %s: %w, as from a bucket: %w", name, httpget.NewStatusError(resp), fs.ErrNotExist)
	}
	return fmt.Errorf("fetching %s: %w", name, httpget.NewStatusError(resp))
}

// get sends one request. Reading the response body fails if the origin is too slow.
func (o *Origin) get(ctx context.Context, name string, conditions http.Header) (*http.Response, error) {
	header := http.Header{}
	maps.Copy(header, conditions)
	header.Set("Accept-Encoding", "identity") // otherwise the transport decompresses gzip, and the length of the response is unknown
	resp, err := httpget.Do(ctx, o.client, o.base.JoinPath(name).String(), header)
	if err != nil {
		return nil, fmt.Errorf("fetching %s: %w", name, err)
	}
	return resp, nil
}
