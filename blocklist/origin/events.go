package origin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/argine-dns/argine/blocklist/internal/trust"
)

const (
	// maxListeners is the maximum number of connections at /events. Beyond it, the client with the most connections
	// loses one.
	maxListeners = 10_000
	maxFilters   = 64               // maximum number of lists that one connection may subscribe to
	heartbeat    = 15 * time.Second // interval of the comments that keep a connection alive through proxies
	writeTimeout = 10 * time.Second // time limit for writing one message to a listener
	pollInterval = time.Second      // interval of checking the folder for releases that other processes publish
)

// event is the newest state of a list: the serial, and the version of its urgent orders (0 if there never were any).
type event struct{ serial, urgent int64 }

func (e event) String() string {
	if e.urgent == 0 {
		return fmt.Sprintf(`"serial":%d`, e.serial)
	}
	return fmt.Sprintf(`"serial":%d,"urgent":%d`, e.serial, e.urgent)
}

// announcements has the connections at /events and the newest event of each list. The zero value is ready to use.
type announcements struct {
	mu        sync.Mutex
	listeners map[*listener]struct{}
	clients   map[netip.Prefix]int // number of listeners by client
	newest    map[string]event     // newest event of each list
	readAt    map[string]time.Time // file time of each list's timestamp when it was last read
	ended     bool
}

// listener is one connection at /events. A slow listener skips events: only the newest event of each list is queued.
type listener struct {
	client  netip.Prefix
	lists   []string // the lists that it subscribes to; empty: all
	pending map[string]event
	wake    chan struct{} // wakes serveEvents when there is an event; capacity 1
	ended   chan struct{}
}

// announce queues an event for all listeners of a list, if it is newer than the list's last event.
func (a *announcements) announce(list string, e event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if old := a.newest[list]; e.serial <= old.serial && e.urgent <= old.urgent {
		return
	}
	if a.newest == nil {
		a.newest = map[string]event{}
	}
	a.newest[list] = e
	for l := range a.listeners {
		l.queue(list, e)
	}
}

func (l *listener) queue(list string, e event) {
	if len(l.lists) > 0 && !slices.Contains(l.lists, list) {
		return
	}
	l.pending[list] = e
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// join adds a listener and queues the newest event of each of its lists. It returns false if there are too many
// connections or the origin is shutting down.
func (a *announcements) join(client netip.Prefix, lists []string) (*listener, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended || len(a.listeners) >= maxListeners && !a.makeRoom(client) {
		return nil, false
	}
	if a.listeners == nil {
		a.listeners, a.clients = map[*listener]struct{}{}, map[netip.Prefix]int{}
	}
	l := &listener{
		client: client, lists: lists, pending: map[string]event{}, wake: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	for list, e := range a.newest {
		l.queue(list, e)
	}
	a.listeners[l] = struct{}{}
	a.clients[client]++
	return l, true
}

// makeRoom makes room for a new listener of a client: it closes one listener of the client with the most listeners. It
// closes none and returns false if that client has at most one listener more than the client of the new listener.
func (a *announcements) makeRoom(client netip.Prefix) bool {
	most := client
	for c, n := range a.clients {
		if n > a.clients[most] {
			most = c
		}
	}
	if a.clients[most] <= a.clients[client]+1 {
		return false
	}
	for l := range a.listeners {
		if l.client == most {
			close(l.ended)
			a.remove(l)
			break
		}
	}
	return true
}

func (a *announcements) leave(l *listener) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.remove(l)
}

// remove removes a listener. It does nothing if the listener is already removed.
func (a *announcements) remove(l *listener) {
	if _, ok := a.listeners[l]; !ok {
		return
	}
	delete(a.listeners, l)
	if a.clients[l.client]--; a.clients[l.client] == 0 {
		delete(a.clients, l.client)
	}
}

// takePending returns the queued events of a listener and clears its queue.
func (a *announcements) takePending(l *listener) map[string]event {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := l.pending
	l.pending = map[string]event{}
	return all
}

// end closes all connections and refuses new ones, if the argument ended is true. If it is false, new connections are
// accepted again.
func (a *announcements) end(ended bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended = ended; !ended {
		return
	}
	for l := range a.listeners {
		close(l.ended)
	}
	clear(a.listeners)
	clear(a.clients)
}

// needsReading reports whether a list's timestamp must be read, since its file time differs from the time at the last
// read. It records the new time.
func (a *announcements) needsReading(list string, date time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.readAt[list].Equal(date) {
		return false
	}
	if a.readAt == nil {
		a.readAt = map[string]time.Time{}
	}
	a.readAt[list] = date
	return true
}

// announceAll announces releases that other processes have published in the folder.
func (o *Origin) announceAll() error {
	lists, err := o.lists()
	for _, list := range lists {
		err = errors.Join(err, o.announceNewest(list))
	}
	return err
}

func (o *Origin) announceNewest(list string) error {
	st := o.newState(list)
	info, err := os.Stat(st.dir.Path(trust.TimestampName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || !o.events.needsReading(list, info.ModTime()) {
		return err
	}
	if err := st.readChain(); err != nil {
		return fmt.Errorf("reading %s: %w", list, err)
	}
	o.events.announce(list, event{st.snapshot.Targets.Version, st.urgent.version})
	return nil
}

// hasListeners reports whether there is a connection at /events.
func (a *announcements) hasListeners() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.listeners) > 0
}

// watch polls the folder for releases of other processes while there are listeners. When ctx ends it closes all
// connections.
func (o *Origin) watch(ctx context.Context) {
	o.events.end(false)
	defer o.events.end(true)
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !o.events.hasListeners() {
			continue
		}
		if err := o.announceAll(); err != nil {
			o.o.Log.ErrorContext(ctx, "looking for what is new", slogErr(err))
		}
	}
}

// serveEvents answers GET /events: it sends the newest event of each list, and then each new event, as server-sent
// events.
func (o *Origin) serveEvents(w http.ResponseWriter, r *http.Request) {
	lists := r.URL.Query()["list"]
	if len(lists) > maxFilters {
		http.Error(w, fmt.Sprintf("at most %d lists can be named", maxFilters), http.StatusBadRequest)
		return
	}
	l, ok := o.events.join(clientOf(r), lists)
	if !ok {
		w.Header().Set("Retry-After", "60")
		http.Error(w, "there are too many listeners, or the origin ends; polling goes on", http.StatusServiceUnavailable)
		return
	}
	defer o.events.leave(l)
	w.Header().Set("Content-Type", eventsType)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // disables buffering in nginx
	s := eventStream{w: w, control: http.NewResponseController(w)}
	if err := s.run(r.Context(), l, &o.events); err != nil {
		o.o.Log.DebugContext(r.Context(), "dropping a listener", slog.Any("error", err))
	}
}

// clientOf returns the network of the client that sent a request: its IPv4 address, or the IPv6 prefix of length 56,
// the usual size of one customer.
func clientOf(r *http.Request) netip.Prefix {
	from, _ := netip.ParseAddrPort(r.RemoteAddr) // unparsable addresses share one client
	bits := 56
	if from.Addr().Unmap().Is4() {
		bits = 32
	}
	client, _ := from.Addr().Unmap().WithZone("").Prefix(bits)
	return client
}

const eventsType = "text/event-stream"

type eventStream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func (s eventStream) run(ctx context.Context, l *listener, from *announcements) error {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	text := ":\n\n" // a comment: the client sees that the connection is open
	for {
		if err := s.write(text); err != nil {
			return err
		}
		text = ":\n\n"
		select {
		case <-ctx.Done():
			return nil
		case <-l.ended:
			return nil
		case <-beat.C:
		case <-l.wake:
			text = ""
			for list, n := range from.takePending(l) {
				text += fmt.Sprintf("event: release\ndata: {\"list\":%q,%s}\n\n", list, n)
			}
		}
	}
}

func (s eventStream) write(text string) error {
	_ = s.control.SetWriteDeadline(time.Now().Add(writeTimeout)) // if it can't be set, the server's deadline applies
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.control.Flush()
}
