package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/download"
	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/config"
	"github.com/argine-dns/argine/dnsfilter/rpz"
)

// fetched is a list that the service fetches, with the goroutine that keeps its file up to date. In all other respects
// it is a local list: a changed file is noticed, checked by the guards, and loaded as if the operator had written it.
type fetched struct {
	file   config.LocalFile
	zone   blocklist.Name // name of the policy zone; empty: a list of entries
	dir    string
	source fetchSource
	apply  func(changes io.Reader, keep func() error) error // puts changes of the policy zone in force, see changeZone
	log    *slog.Logger
	asked  chan struct{}      // a value makes the goroutine fetch now; capacity 1
	cancel context.CancelFunc // ends the goroutine; nil: not started yet
	done   chan struct{}

	mu    sync.Mutex
	state fetchState
	next  time.Time // time of the next attempt
	err   error     // error of the last attempt; nil: it succeeded
	alarm bool      // it was logged that the list is stale, and no attempt has succeeded since

	// failures counts failed attempts since the last success, failed those since the start, and replaced the new files
	// since the start.
	failures, failed, replaced uint64
}

// fetchSource is where a list is fetched from: URLs, or the primaries of a zone.
type fetchSource interface {
	// fetch brings the file and its state up to date. It reports whether the file has changed. If the review fails, it
	// returns an error and keeps the old file.
	fetch(ctx context.Context, state *fetchState, by fetchReview) (changed bool, err error)
	// has reports whether the file was fetched from this source. If so, a start need not fetch the file at once.
	has(state *fetchState) bool
	// times returns the wait before the next attempt, after a success and after a failure, and the age at which the
	// list becomes stale.
	times(state *fetchState) fetchTimes
}

// fetchReview reviews fetched data. The function whole reviews a new file before it replaces the old one. The function
// changes reviews the changes of a zone and puts them in force, see [rpz.Secondary].
type fetchReview struct {
	whole   func(file io.Reader) error
	changes func(changes io.Reader, keep func() error) error
}

// fetchTimes has the wait after a successful attempt (refresh), the longest wait after a failed one (retry), and the
// age at which the list becomes stale (expire).
type fetchTimes struct{ refresh, retry, expire time.Duration }

// fetchState is the state of a fetched file. It is stored in the folder of the file.
type fetchState struct {
	From    string         `json:"from"`          // server that sent or confirmed the file last
	Checked time.Time      `json:"checked"`       // when a server last sent or confirmed the file
	Changed time.Time      `json:"changed"`       // when the file was replaced last
	Web     download.State `json:"web,omitzero"`  // state of a list that comes from URLs
	Zone    rpz.Copy       `json:"zone,omitzero"` // state of a list that is a zone
	// Foreign is the number of records outside the zone that the last transfer had. They are left out.
	Foreign int `json:"foreign,omitzero"`
}

// fetchStateFile is the name of the file with the fetchState, in the folder of the list's file.
const fetchStateFile = "fetch.json"

// fetchedLists has the fetched lists of the settings, by name.
type fetchedLists map[string]*fetched

// newFetched returns the fetched lists of the next settings. For lists whose source has not changed, it reuses the
// values in the argument old.
func (s *running) newFetched(next *config.Settings, old fetchedLists) (fetchedLists, error) {
	out := fetchedLists{}
	for i := range next.Lists {
		l := &next.Lists[i]
		if !l.Fetch.IsSet() {
			continue
		}
		name := l.Rule.List
		f := &fetched{
			file: l.LocalFile(), zone: l.RPZ, dir: next.FetchedDir(name), log: s.log.With(slog.String("list", name)),
			asked: make(chan struct{}, 1), done: make(chan struct{}),
			apply: func(changes io.Reader, keep func() error) error { return s.changeZone(name, changes, keep) },
		}
		var err error
		if f.source, err = newFetchSource(l); err != nil {
			return nil, err
		}
		if have := old[name]; have != nil && reflect.DeepEqual(have.source, f.source) {
			f = have
		}
		out[name] = f
	}
	return out, nil
}

func newFetchSource(l *config.List) (fetchSource, error) {
	if len(l.Fetch.Primaries) == 0 {
		return &webSource{l.LocalFile(), l.Fetch.URLs, l.Fetch.Refresh}, nil
	}
	key, err := l.Fetch.Key()
	return &zoneSource{rpz.Secondary{Zone: l.RPZ, Primaries: l.Fetch.Primaries, Key: key, File: l.File}}, err
}

// replaceFetched stops the fetched lists that are only in the argument old, and starts those that are only in the
// argument next. It removes the files of lists that the service no longer fetches. It returns the argument next.
func replaceFetched(ctx context.Context, old, next fetchedLists, log *slog.Logger) fetchedLists {
	for name, f := range old {
		if next[name] == f {
			continue
		}
		f.cancel()
		<-f.done
		if next[name] == nil {
			if err := os.RemoveAll(f.dir); err != nil {
				log.Warn("removing the files of a list failed", slog.String("list", name), slog.Any("error", err))
			}
		}
	}
	for _, f := range next {
		if f.cancel == nil {
			ctx, cancel := context.WithCancel(ctx)
			f.cancel = cancel
			go f.run(ctx)
		}
	}
	return next
}

// fetchNow makes the goroutines of all lists fetch now.
func (all fetchedLists) fetchNow() {
	for _, f := range all {
		f.fetchNow()
	}
}

// wait waits until the goroutines of all lists have ended.
func (all fetchedLists) wait() {
	for _, f := range all {
		<-f.done
	}
}

func (f *fetched) fetchNow() {
	select {
	case f.asked <- struct{}{}:
	default: // it has a value already
	}
}

// run fetches the list until ctx ends.
func (f *fetched) run(ctx context.Context) {
	defer close(f.done)
	wait, last := f.begin(), time.Time{}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-f.asked:
			time.Sleep(time.Until(last.Add(leastPause)))
		}
		wait, last = f.attempt(ctx), time.Now()
		if ctx.Err() != nil {
			return
		}
		timer.Reset(wait)
	}
}

// leastPause is the minimum time between two attempts, even if a primary sends NOTIFY more often.
const leastPause = 200 * time.Millisecond

// begin reads the stored state of the file. It returns the time until the first attempt, which is 0 unless the list was
// fetched recently from its present source.
func (f *fetched) begin() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		f.log.Error("making the folder of a list failed", slog.Any("error", err))
	}
	text, err := os.ReadFile(filepath.Join(f.dir, fetchStateFile))
	if err != nil || json.Unmarshal(text, &f.state) != nil {
		f.state = fetchState{}
	}
	if f.file.Awaited() {
		f.state = fetchState{}
		f.log.Warn("list is not enforced yet: nothing is held of it; fetching it")
	}
	wait := time.Until(f.state.Checked.Add(f.source.times(&f.state).refresh))
	if !f.source.has(&f.state) || wait < 0 {
		wait = 0
	}
	f.next = time.Now().Add(wait)
	return wait
}

// attempt fetches the list once. It returns the time until the next attempt.
func (f *fetched) attempt(ctx context.Context) time.Duration {
	f.mu.Lock()
	state := f.state
	f.mu.Unlock()
	replaced, err := f.source.fetch(ctx, &state, fetchReview{f.review, f.apply})
	if ctx.Err() != nil {
		return 0
	}
	if err == nil {
		state.Checked = time.Now().UTC().Truncate(time.Second)
		if replaced {
			state.Changed = state.Checked
		}
		err = f.save(&state)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.report(&state, replaced, err)
	times := f.source.times(&f.state)
	wait := times.refresh
	if err != nil {
		wait = max(min(time.Second<<min(f.failures-1, 20), times.retry), min(download.RetryAfter(err), maxRetryAfter))
	}
	wait = jitter(wait)
	f.next = time.Now().Add(wait)
	return wait
}

// review reads a new file before it replaces the old one. It returns an error if the file is no list in the configured
// format, or not the policy zone.
func (f *fetched) review(file io.Reader) error {
	if f.zone != "" {
		_, err := dnsfilter.NewPolicyZone(f.zone).Read(file)
		return err
	}
	o := f.file.Options()
	o.Name = "the answer"
	_, err := formats.NewReader(file, o)
	return err
}

// maxRetryAfter is the longest wait that a server can request with the header Retry-After.
const maxRetryAfter = 24 * time.Hour

// jitter varies a duration by up to a tenth at random, so that resolvers that started together do not fetch together.
func jitter(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5+1) //nolint:gosec // no secret
}

// save writes the state to the folder of the list, for the next start.
func (f *fetched) save(state *fetchState) error {
	text, err := json.Marshal(state)
	if err == nil {
		path := filepath.Join(f.dir, fetchStateFile)
		err = errors.Join(os.WriteFile(path+".new", text, 0o600), os.Rename(path+".new", path))
	}
	if err != nil {
		return fmt.Errorf("keeping the state of list %s: %w", f.file.List, err)
	}
	return nil
}

// report logs and counts the result of an attempt. The caller holds the mutex.
func (f *fetched) report(state *fetchState, replaced bool, err error) {
	last := f.err
	f.err = err
	if err != nil {
		f.failed++
		f.failures++
		if last == nil || last.Error() != err.Error() {
			what := "a list could not be fetched; the last good one stays"
			if f.file.Awaited() {
				what = "a list could not be fetched so far, and is NOT ENFORCED"
			}
			f.log.Warn(what, slog.Any("error", err))
		}
		f.alarmIfStale()
		return
	}
	if last != nil {
		f.log.Info("a list can be fetched again", slog.String("from", state.From), slog.Uint64("failures", f.failures))
	}
	f.state, f.failures, f.alarm = *state, 0, false
	if replaced {
		f.replaced++
		log := f.log
		if state.Zone.Serial != 0 {
			log = log.With(slog.Uint64("serial", uint64(state.Zone.Serial)))
		}
		log.Info("list fetched", slog.String("from", state.From))
	}
}

// alarmIfStale logs that the list is stale, but only once until the next success. The caller holds the mutex.
func (f *fetched) alarmIfStale() {
	if f.alarm || f.state.Checked.IsZero() || time.Now().Before(f.expires()) {
		return
	}
	f.alarm = true
	f.log.Error("a list is stale: no server has said for too long what is the newest; the last good one stays in force",
		slog.Time("checked", f.state.Checked))
}

// expires returns the time at which the list becomes stale. The caller holds the mutex.
func (f *fetched) expires() time.Time { return f.state.Checked.Add(f.source.times(&f.state).expire) }

// status returns the status of the fetched list.
func (f *fetched) status() *FetchStatus {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := &FetchStatus{
		From: f.state.From, Checked: f.state.Checked, Changed: f.state.Changed, Next: f.next,
		Serial: f.state.Zone.Serial, Foreign: f.state.Foreign,
		Fetched: f.replaced, Failed: f.failed,
	}
	out.Stale = f.failures > 0
	if !f.state.Checked.IsZero() {
		out.Expires = f.expires()
		out.Stale = time.Now().After(out.Expires)
	}
	if f.err != nil {
		out.Error = f.err.Error()
	}
	return out
}

// isStale reports whether the list is stale. It returns false for nil, which stands for a list that is not fetched.
func (f *fetched) isStale() bool { return f != nil && f.status().Stale }

// FetchStatus is the status of a fetched list.
type FetchStatus struct {
	From string `json:"from,omitempty"` // server that sent or confirmed the file last
	// Checked is when a server last sent the newest version, or confirmed that the file is the newest.
	Checked time.Time `json:"checked,omitzero"`
	Changed time.Time `json:"changed,omitzero"` // when the file was replaced last
	Expires time.Time `json:"expires,omitzero"` // when the list becomes stale, if no server answers before
	Next    time.Time `json:"next"`             // time of the next attempt
	// Expires has passed, though the list is still enforced; or no attempt has succeeded yet and one failed
	Stale  bool   `json:"stale,omitempty"`
	Serial uint32 `json:"serial,omitempty"` // serial of the SOA record, for a zone
	// Foreign is the number of records outside the zone that the last transfer had. They are left out.
	Foreign int    `json:"foreign,omitempty"`
	Fetched uint64 `json:"fetched"`         // number of new files since the start
	Failed  uint64 `json:"failed"`          // number of failed attempts since the start
	Error   string `json:"error,omitempty"` // error of the last attempt; empty: it succeeded
}
