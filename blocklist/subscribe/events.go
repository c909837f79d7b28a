package subscribe

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"
)

// Limits on announcements. They are a hint, trusted for nothing: all that one can do is make a subscriber poll.
const (
	silence     = 45 * time.Second // three heartbeats of an origin: the connection is dead
	maxEvent    = 4 << 10          // bytes of a line
	maxStream   = 1 << 20          // bytes of a connection; then another one is made
	firstRetry  = time.Second
	lastRetry   = 5 * time.Minute
	noEvents    = 15 * time.Minute      // until an origin is asked again that does not announce, such as a mirror of files
	spread      = 20 * time.Millisecond // within which subscribers that were told together poll
	idleHint    = time.Second           // between polls for hints that lead to nothing new
	maxIdleHint = time.Minute
)

// errNoEvents is returned where an origin does not announce.
var errNoEvents = errors.New("it announces nothing")

// listen follows the announcements of an origin until ctx ends, and passes on that it has something newer than what is in
// force.
func (s *Subscription) listen(ctx context.Context, o *origin, hints chan<- event) {
	retry := firstRetry
	for ctx.Err() == nil {
		started := time.Now()
		err := o.events(ctx, s.c.List, func(e event) {
			if s.isNews(e) {
				select {
				case hints <- e:
				default: // one is on its way
				}
			}
		})
		if time.Since(started) > time.Minute {
			retry = firstRetry
		}
		wait := retry
		if errors.Is(err, errNoEvents) {
			wait = noEvents
		}
		s.c.Log.DebugContext(ctx, "listening for announcements", slog.String("origin", o.name), slogErr(err), slog.Duration("again_in", wait))
		sleep(ctx, wait/2+rand.N(wait)) //nolint:gosec // no secret
		retry = min(2*retry, lastRetry)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// events reads the announcements of an origin until the connection ends, which it does with an error.
func (o *origin) events(ctx context.Context, list string, tell func(event)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(silence, func() { cancel(errSlow) })
	defer timer.Stop()
	u := *o.announces
	u.RawQuery = "list=" + list
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", "argine")
	resp, err := o.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	if resp.StatusCode/100 == 5 {
		return fmt.Errorf("the answer is %d", resp.StatusCode)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		return errNoEvents
	}
	lines := bufio.NewScanner(io.LimitReader(resp.Body, maxStream))
	lines.Buffer(make([]byte, 512), maxEvent)
	for lines.Scan() {
		timer.Reset(silence)
		if e, ok := parseEvent(lines.Bytes(), list); ok {
			tell(e)
		}
	}
	return errors.Join(lines.Err(), io.ErrUnexpectedEOF)
}

// event is what is announced of a list.
type event struct {
	List   string `json:"list"`
	Serial uint64 `json:"serial"`
	Urgent int64  `json:"urgent"` // version of the urgent orders, 0 if there never were any
}

// isNews reports whether something newer is announced than what is in force.
func (s *Subscription) isNews(e event) bool {
	s.mu.Lock()
	urgent := s.urgent
	s.mu.Unlock()
	return e.Serial > s.Status().Serial || e.Urgent > urgent
}

// parseEvent reads one line of an event stream: what it announces of a list, if it does.
func parseEvent(line []byte, list string) (e event, ok bool) {
	data, ok := bytes.CutPrefix(line, []byte("data:"))
	if !ok {
		return e, false
	}
	err := json.Unmarshal(data, &e)
	return e, err == nil && e.List == list && e.Serial > 0
}
