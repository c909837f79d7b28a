// Package download fetches unsigned lists from web servers into files: conditionally, with limits on sizes, times and
// redirects. A file is replaced as a whole, and only by a complete answer.
package download

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/disk"
	"github.com/argine-dns/argine/blocklist/internal/httpget"
)

// MaxSize is the maximum length of a list, decompressed, in bytes.
const MaxSize = 512 << 20

const (
	maxTime      = 30 * time.Minute // maximum time for one answer
	maxRedirects = 5
	blankBytes   = 64 << 10 // an answer whose first 64 KiB are white space counts as empty
)

// Source is a list on web servers.
type Source struct {
	// URLs are the addresses of copies of the list, tried in this order until one answers. Their scheme is https or
	// http. With http, anyone on the way can read and change the answers.
	URLs []string
	Path string // path of the file; its folder must exist
	// Review reads a new file before it replaces the old one. If Review returns an error, the old file stays. It can
	// detect that the new file is not a list, but an error page, for example. Nil: no review.
	Review func(file io.Reader) error
	// Transport sends the requests. Nil: a transport with limits and the proxy of the environment.
	Transport http.RoundTripper
}

// State describes the file on disk and its source. The caller stores it and passes it to the next [Source.Fetch]. The
// zero value means that there is no file.
type State struct {
	URL string `json:"url"` // the URL that the file was fetched from
	// Conditions are headers that make the next request for this URL conditional.
	Conditions http.Header `json:"conditions,omitempty"`
	Digest     string      `json:"digest"` // SHA-256 of the file, in hexadecimal
}

// Fetch brings the file up to date, and reports whether it was replaced. After an error, the file is unchanged, and the
// returned state is the argument known. [RetryAfter] returns the time that a server asks the client to wait.
func (s *Source) Fetch(ctx context.Context, known State) (now State, replaced bool, err error) {
	if _, err := os.Stat(s.Path); err != nil {
		known = State{}
	}
	transport := s.Transport
	if transport == nil {
		transport = httpget.NewTransport()
	}
	client := &http.Client{Transport: transport, CheckRedirect: checkRedirect}
	defer client.CloseIdleConnections()
	if err := disk.RemoveTemps(filepath.Dir(s.Path)); err != nil {
		return known, false, err
	}
	var all []error
	for _, from := range s.URLs {
		now, err := s.fetch(ctx, client, from, known)
		if err == nil {
			return now, now.Digest != known.Digest, nil
		}
		all = append(all, fmt.Errorf("fetching %s: %w", Redacted(from), withoutURL(err)))
	}
	return known, false, errors.Join(all...)
}

// fetch brings the file up to date from one URL. It returns the new state.
func (s *Source) fetch(ctx context.Context, client *http.Client, from string, known State) (State, error) {
	ctx, cancel := context.WithTimeout(ctx, maxTime)
	defer cancel()
	var conditions http.Header
	if known.URL == from {
		conditions = known.Conditions
	}
	resp, err := httpget.Do(ctx, client, from, conditions)
	if err != nil {
		return known, err
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	switch {
	case resp.StatusCode == http.StatusNotModified && conditions != nil:
		return known, nil
	case resp.StatusCode != http.StatusOK:
		return known, httpget.NewStatusError(resp)
	}
	now := State{URL: from, Conditions: httpget.Conditions(resp.Header)}
	err = disk.Write(s.Path, 0o600, func(w io.Writer) error {
		if now.Digest, err = copyBody(w, resp.Body); err == nil && now.Digest == known.Digest {
			err = errSame
		}
		if err != nil || s.Review == nil {
			return err
		}
		return s.review(w.(*os.File).Name()) //nolint:forcetypeassert // disk.Write calls it with the new file
	})
	if err != nil && !errors.Is(err, errSame) {
		return known, err
	}
	return now, nil
}

// review calls the field Review with the content of a new file, and returns its error.
func (s *Source) review(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it was only read
	return s.Review(f)
}

// errSame means that the file is not replaced, because the new content equals the old one.
var errSame = errors.New("it is the same")

// copyBody copies the body of an answer, and returns its SHA-256. It fails with [blocklist.ErrMalformed] for an empty
// body, and with [blocklist.ErrTooLarge] beyond [MaxSize].
func copyBody(w io.Writer, body io.Reader) (digest string, err error) {
	r := bufio.NewReaderSize(body, blankBytes)
	beginning, err := r.Peek(blankBytes)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return "", err
	case len(bytes.TrimSpace(beginning)) == 0:
		return "", fmt.Errorf("%w: the answer is empty", blocklist.ErrMalformed)
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, sum), io.LimitReader(r, MaxSize+1))
	if err == nil && n > MaxSize {
		err = fmt.Errorf("%w: more than %d MiB", blocklist.ErrTooLarge, MaxSize>>20)
	}
	return hex.EncodeToString(sum.Sum(nil)), err
}

// checkRedirect is the redirect policy: at most maxRedirects, to any host, but never from https to http.
func checkRedirect(next *http.Request, via []*http.Request) error {
	switch to := next.URL.Scheme; {
	case len(via) > maxRedirects:
		return fmt.Errorf("stopped after %d redirects", maxRedirects)
	case to != "https" && (to != "http" || via[len(via)-1].URL.Scheme != "http"):
		return fmt.Errorf("redirected from %s to %.20q", via[len(via)-1].URL.Scheme, to)
	}
	next.Header.Del("Referer") // the query of a URL may be a secret
	return nil
}

// RetryAfter returns the time that a server has asked the client to wait before the next request, or 0 if err has no
// such time.
func RetryAfter(err error) time.Duration {
	if status, ok := errors.AsType[*httpget.StatusError](err); ok {
		return status.RetryAfter
	}
	return 0
}

// Redacted returns a URL as text for messages, without the password and the query, which may be secret.
func Redacted(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "a malformed URL"
	}
	if u.RawQuery != "" {
		u.RawQuery = "..."
	}
	return u.Redacted()
}

// withoutURL returns an error of package http without the URL in it.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return httpget.PlainError{Err: e.Err}
	}
	return err
}
