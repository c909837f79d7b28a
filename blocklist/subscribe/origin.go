package subscribe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// Limits on what an origin may take.
const (
	stall    = 15 * time.Second // longest time without an answer or a further byte
	minRate  = 4 << 10          // bytes a second, on average after a first minute
	grace    = time.Minute
	fastRate = 64 << 10 // bytes a second that are expected of an origin while there are others, after grace
	maxHops  = 3        // redirects
	maxHeads = 64 << 10 // bytes of a response's header
)

// errSlow ends requests to origins that keep a subscriber waiting.
var errSlow = fmt.Errorf("too slow, %w", os.ErrDeadlineExceeded)

// origin is one source of a list: an origin, a mirror, or a folder with a copy. Nothing that it says is trusted.
type origin struct {
	name   string // for people
	base   *url.URL
	client *http.Client

	announces *url.URL // where it may announce what is new; nil for a folder

	receipts     *url.URL  // where it may take receipts; nil for a folder
	receiptsFrom time.Time // since it takes none, not before

	validators http.Header // for a conditional request: of the timestamp that this origin served last
	validFor   []byte      // that timestamp
}

func newOrigins(c *Config) (all []*origin, err error) {
	if len(c.Origins) == 0 {
		return nil, errors.New("it needs at least one origin")
	}
	client := httpClient(c.Client)
	hosts := map[string]bool{}
	client.CheckRedirect = redirects{hosts}.check
	for _, text := range c.Origins {
		o, err := newOrigin(text, client)
		if err != nil {
			return nil, err
		}
		hosts[o.base.Host] = true
		if o.base.Scheme != "file" {
			o.announces, o.receipts = o.base.JoinPath("events"), o.base.JoinPath("receipts", c.List)
		}
		o.base = o.base.JoinPath("lists", c.List)
		all = append(all, o)
	}
	return all, nil
}

func newOrigin(text string, client *http.Client) (*origin, error) {
	if !strings.Contains(text, "://") {
		files := &http.Client{Transport: http.NewFileTransportFS(regularFiles{os.DirFS(text)}), CheckRedirect: redirects{}.check}
		return &origin{name: text, base: &url.URL{Scheme: "file", Path: "/"}, client: files}, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("origin %.200q: %w: it needs a URL like https://origin.example, or a folder", text, blocklist.ErrMalformed)
	}
	return &origin{name: u.Redacted(), base: u, client: client}, nil
}

// regularFiles is a folder without anything but files and folders: a named pipe would keep a subscriber waiting for ever.
type regularFiles struct{ fs.FS }

func (f regularFiles) Open(name string) (fs.File, error) {
	info, err := fs.Stat(f.FS, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() && !info.IsDir() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return f.FS.Open(name)
}

// httpClient returns a client of our own with the transport of another one.
func httpClient(from *http.Client) *http.Client {
	if from == nil {
		from = &http.Client{Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: stall}).DialContext,
			TLSHandshakeTimeout:    stall,
			IdleConnTimeout:        2 * time.Minute,
			MaxIdleConnsPerHost:    1,
			MaxResponseHeaderBytes: maxHeads,
			ForceAttemptHTTP2:      true,
		}}
	}
	return &http.Client{Transport: from.Transport, Jar: from.Jar}
}

// redirects are the hosts of all origins of a subscription, with their ports. A mirror must not lead a subscriber to services that
// only the subscriber reaches.
type redirects struct{ hosts map[string]bool }

// check follows few redirects, to the same host or to another origin over https, and none of a POST.
func (r redirects) check(next *http.Request, via []*http.Request) error {
	from, to := via[0].URL, next.URL
	switch {
	case via[0].Method == http.MethodPost:
		return http.ErrUseLastResponse
	case len(via) > maxHops:
		return fmt.Errorf("stopped after %d redirects", maxHops)
	case to.Scheme != from.Scheme && to.Scheme != "https":
		return fmt.Errorf("redirected from %s to %.20q", from.Scheme, to.Scheme)
	case to.Host != from.Host && (to.Scheme != "https" || !r.hosts[to.Host]):
		return fmt.Errorf("redirected to %.80q, which is none of the origins", to.Host)
	}
	return nil
}

// timestamp fetches the timestamp, and reports whether it is another than the one known, if the origin says so itself.
func (o *origin) timestamp(ctx context.Context, known []byte) (b []byte, modified bool, err error) {
	var conditions http.Header
	if len(known) > 0 && bytes.Equal(known, o.validFor) {
		conditions = o.validators
	}
	resp, err := o.get(ctx, trust.TimestampName, conditions)
	if err != nil {
		return nil, false, err
	}
	if resp.StatusCode == http.StatusNotModified && conditions != nil {
		return nil, false, resp.Body.Close()
	}
	if b, err = readAll(resp, trust.TimestampName, trust.MaxTimestamp); err != nil {
		return nil, false, err
	}
	o.validators, o.validFor = validators(resp.Header), b
	return b, true, nil
}

// validators returns what makes the next request conditional. Dates count seconds: of a file that changed in the second
// of the answer, or the one before, neither date nor a tag made from it says anything (RFC 9110, 8.8.2.2).
func validators(h http.Header) http.Header {
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

// document fetches a document of at most limit bytes. It fails with [fs.ErrNotExist] if the origin says that there is none.
func (o *origin) document(ctx context.Context, name string, limit int64) ([]byte, error) {
	resp, err := o.get(ctx, name, nil)
	if err != nil {
		return nil, err
	}
	return readAll(resp, name, limit)
}

// wanted returns the document that is wanted: the one that is held if it is the same.
func (o *origin) wanted(ctx context.Context, w trust.Wanted, held []byte) ([]byte, error) {
	if w.Is(held) {
		return held, nil
	}
	return o.document(ctx, w.Name, w.Limit)
}

// open fetches a file whose length the caller limits.
func (o *origin) open(ctx context.Context, name string) (io.ReadCloser, error) {
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

// get sends one request. The response's body fails when the origin is too slow.
func (o *origin) get(ctx context.Context, name string, conditions http.Header) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(stall, func() { cancel(errSlow) })
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, o.base.JoinPath(name).String(), nil)
	if err != nil {
		cancel(nil)
		return nil, err
	}
	maps.Copy(req.Header, conditions)
	req.Header.Set("Accept-Encoding", "identity") // else the transport unpacks gzip, and a length says nothing
	req.Header.Set("User-Agent", "argine")
	resp, err := o.client.Do(req)
	if err != nil {
		timer.Stop()
		defer cancel(nil)
		return nil, fmt.Errorf("fetching %s: %w", name, plainError{slow(ctx, err)})
	}
	resp.Body = &patientBody{ctx: ctx, body: resp.Body, cancel: cancel, timer: timer, started: time.Now()}
	return resp, nil
}

// plainError is an error into which an origin may have put what it likes, such as the address of a redirect.
type plainError struct{ error }

func (e plainError) Error() string { return trust.Plain(e.error.Error()) }
func (e plainError) Unwrap() error { return e.error }

// slow returns the true reason for a request that was ended.
func slow(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && !errors.Is(err, io.EOF) && errors.Is(cause, errSlow) {
		return fmt.Errorf("%w: nothing came for %s", errSlow, stall)
	}
	return err
}

// patientBody reads as long as there is progress.
type patientBody struct {
	ctx     context.Context //nolint:containedctx // the request's, to tell why it ended
	body    io.ReadCloser
	cancel  context.CancelCauseFunc
	timer   *time.Timer
	started time.Time
	n       int64
}

func (b *patientBody) Read(p []byte) (int, error) {
	b.timer.Reset(stall)
	n, err := b.body.Read(p)
	b.n += int64(n)
	if elapsed := time.Since(b.started); elapsed > grace && b.n < int64(elapsed.Seconds())*minRate {
		return n, fmt.Errorf("%w: %d bytes in %s", errSlow, b.n, elapsed.Round(time.Second))
	}
	return n, slow(b.ctx, err)
}

func (b *patientBody) Close() error {
	b.timer.Stop()
	err := b.body.Close()
	b.cancel(nil)
	return err
}
