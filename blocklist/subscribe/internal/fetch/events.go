package fetch

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/argine-dns/argine/blocklist/internal/httpget"
)

// Limits on server-sent events.
const (
	// heartbeatTimeout is three times the interval of an origin's heartbeats. After this time without data, the
	// connection counts as dead.
	heartbeatTimeout = 45 * time.Second
	maxEventLine     = 4 << 10 // maximum length of a line, in bytes
	maxEventStream   = 1 << 20 // maximum bytes on one connection; then a new connection is made
)

// ErrNoEvents is returned by [Origin.Events] if an origin has no event stream.
var ErrNoEvents = errors.New("it announces nothing")

// Event is an origin's announcement about a list. It is an untrusted hint to poll.
type Event struct {
	List   string `json:"list"`
	Serial uint64 `json:"serial"`
	Urgent int64  `json:"urgent"` // version of the urgent orders; 0: none so far
}

// HasEvents reports whether the origin may have an event stream. A folder does not.
func (o *Origin) HasEvents() bool { return o.events != nil }

// Events reads an origin's server-sent events about a list, and calls handle for each. It returns when the connection
// ends, always with an error.
func (o *Origin) Events(ctx context.Context, list string, handle func(Event)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(heartbeatTimeout, func() { cancel(httpget.ErrSlow) })
	defer timer.Stop()
	u := *o.events
	u.RawQuery = "list=" + list
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", httpget.UserAgent)
	resp, err := o.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	if resp.StatusCode/100 == 5 {
		return fmt.Errorf("the answer is %d", resp.StatusCode)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		return ErrNoEvents
	}
	lines := bufio.NewScanner(io.LimitReader(resp.Body, maxEventStream))
	lines.Buffer(make([]byte, 512), maxEventLine)
	for lines.Scan() {
		timer.Reset(heartbeatTimeout)
		if e, ok := parseEvent(lines.Bytes(), list); ok {
			handle(e)
		}
	}
	return errors.Join(lines.Err(), io.ErrUnexpectedEOF)
}

// parseEvent parses one line of an event stream. It reports whether the line is an announcement about the list.
func parseEvent(line []byte, list string) (e Event, ok bool) {
	data, ok := bytes.CutPrefix(line, []byte("data:"))
	if !ok {
		return e, false
	}
	err := json.Unmarshal(data, &e)
	return e, err == nil && e.List == list && e.Serial > 0
}
